"""A training step of the flow CNN on clips of 64 x 64 cells: float32, TF32, bfloat16, compiled; fed with data."""

from __future__ import annotations

from tools.gpu_check.step import Bench, Step
from tools.gpu_check.training import tables, train

STEP = Step("B", order=21, limit=60, least=25)
TABLES = tables("the flow CNN")


def run(bench: Bench) -> None:
    from tools.benchmarks.train_tasks import Street

    train(bench, Street(bench.size(64, 16)))
