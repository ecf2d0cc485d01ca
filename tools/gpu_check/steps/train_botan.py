"""A training step of BOTAN on graphs of 4096 particles: float32, TF32, bfloat16, compiled; fed with data."""

from __future__ import annotations

from tools.gpu_check.step import Bench, Step
from tools.gpu_check.training import tables, train

STEP = Step("B", order=20, limit=90, least=30)
TABLES = tables("BOTAN")


def run(bench: Bench) -> None:
    from tools.benchmarks.train_tasks import Liquid

    train(bench, Liquid(bench.size(4096, 160)))
