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
    import torch

    from dtrain.engine import Engine, read_config
    from dtrain.models.botan import Botan
    from dtrain.ranks import connect
    from tools.gpu_check.steps.train_botan import SMALL, graphs, loss_of
    from tools.gpu_check.training import Form, seconds, take_step

    ranks = connect(bench.size("gpu", "cpu"))
    checkpoints.mkdir(parents=True)
    n_calls, turns = bench.size(20, 1), bench.size(3, 1)
    for n in bench.size((1, 8), (1,)):
        inputs, form = graphs(bench, n), Form("bare", n)
        form.set()
        bare = Botan(**bench.size({}, SMALL)).to(ranks.device)
        optimizer = torch.optim.Adam(bare.parameters(), lr=0.0)
        engine = Engine(Botan(**bench.size({}, SMALL)), read_config("", 1, ranks), ranks, checkpoints)
        engine.train()

        def by_engine(engine=engine, inputs=inputs) -> None:
            engine.backward(loss_of(engine(*inputs)))

        def alone(bare=bare, optimizer=optimizer, form=form, inputs=inputs) -> None:
            take_step(bare, optimizer, form, inputs, loss_of)

        ours, plain = seconds(by_engine, n_calls, turns), seconds(alone, n_calls, turns)
        bench.record(graphs=n, bare_ms=1e3 * plain, engine_ms=1e3 * ours, added=ours / plain - 1)
