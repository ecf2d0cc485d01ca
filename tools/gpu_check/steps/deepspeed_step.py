"""What DeepSpeed adds to a training step: the same step of BOTAN bare and by `dtrain`'s engine, in one process."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.gpu_check.step import Bench, Step, Table

STEP = Step("B", order=22, limit=60, least=25)
COLUMNS = {"graphs": "graphs", "bare_ms": "bare, ms", "engine_ms": "by DeepSpeed, ms", "added": "added"}
TABLES = {"": Table("performance", "A training step by DeepSpeed on a GPU", COLUMNS)}


def run(bench: Bench) -> None:
    """Torch is imported here: not by who only looks at steps. What `dtrain` sets in the environment goes again."""
    kept = dict(os.environ)
    try:
        with TemporaryDirectory() as folder:
            _measure(bench, Path(folder) / "run" / "checkpoints")
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _measure(bench: Bench, checkpoints: Path) -> None:
    from dtrain.deepspeed_config import read_config
    from dtrain.engine import Engine
    from dtrain.ranks import connect
    from tools.benchmarks.train_step import Form
    from tools.benchmarks.train_step import Step as Bare
    from tools.benchmarks.train_tasks import Liquid
    from tools.gpu_check.training import machine

    where, ranks = machine(bench), connect(bench.size("gpu", "cpu"))
    checkpoints.mkdir(parents=True)
    for n in bench.size((1, 8), (1,)):
        task = Liquid(bench.size(4096, 160))
        bare = Bare(task, Form(samples=n), where.device)
        engine = Engine(task.network(), read_config("", 1, ranks), ranks, checkpoints)
        engine.train()

        def by_engine(engine=engine, task=task, bare=bare) -> None:
            engine.backward(task.losses(engine, bare.batch).mean())

        seconds = {}
        for name, step in (("bare_ms", bare), ("engine_ms", by_engine)):
            step()
            seconds[name] = min(where.seconds(step, where.n_steps) for _ in range(where.n_turns))
        added = seconds["engine_ms"] / seconds["bare_ms"] - 1
        bench.record(graphs=n, **{name: 1e3 * value for name, value in seconds.items()}, added=added)
