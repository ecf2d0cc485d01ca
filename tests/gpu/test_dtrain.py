"""Training on a real GPU: batches are those of the CPU, and no step waits for what the GPU computes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dtrain.config import load_recipe
from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.loader import Feed, Order, Share
from dtrain.deepspeed_config import read_config
from dtrain.engine import Engine
from dtrain.models.botan import Botan
from dtrain.models.flow_cnn import FlowCNN
from dtrain.phase import PhaseTrainer
from dtrain.ranks import connect
from tests.flow_factory import write_flow
from tests.isoconfig_factory import write_isoconfig

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="not run on a GPU: torch finds none")


@pytest.fixture(params=["glass", "flow"])
def kind(request, tmp_path) -> SimpleNamespace:
    """A way to open a data set with all that is drawn in training, and a network for it."""
    if request.param == "glass":
        path = str(write_isoconfig(tmp_path / "glass.h5", n_samples=10))

        def opened(**more: float) -> Glass:
            return Glass(GlassOptions(file=path, time=1, positions="both", **more), seed=3)

        return SimpleNamespace(model="botan", opened=opened, network=Botan(edge_width=6, rounds=2))
    path = str(write_flow(tmp_path / "flow.h5"))
    split = {"train": 4, "validation": 1, "test": 1}

    def opened_flow(**more: float) -> Flow:
        return Flow(FlowOptions(file=path, noise=0.1, unroll=2, through=True, split=split, **more), seed=3)

    return SimpleNamespace(model="flow-cnn", opened=opened_flow, network=FlowCNN(widths=(6, 10)))


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_batches_formed_on_the_gpu_have_the_bits_of_those_of_the_cpu(kind, share):
    here, there = kind.opened(), kind.opened(device_memory=share)
    assert ("stay on" if share else "are sent to") in there.place(GPU)
    order, dealt, steps = Order(tuple(here.split["train"]), 1, "a"), Share(3, 0, 1, 3), range(6)
    here.place(CPU)
    feeds = (Feed(data, device).steps(order, dealt, steps) for data, device in ((here, CPU), (there, GPU)))
    for ((ours, weights),), ((theirs, their_weights),) in zip(*feeds, strict=True):
        assert torch.equal(weights, their_weights.cpu())
        for one, other in zip(ours.tensors().values(), theirs.tensors().values(), strict=True):
            assert other.is_cuda and torch.equal(one, other.cpu())


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_a_step_makes_the_host_wait_for_nothing(kind, share, tmp_path, monkeypatch):
    """Watched by CUDA's own bookkeeping, from the first batch that is there to the update of the weights."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "DS_ACCELERATOR"):
        monkeypatch.delenv(name, raising=False)
    data = kind.opened(device_memory=share)
    phase = {"only": {"epochs": 3, "learning_rate": 1e-3}}
    recipe = load_recipe(
        None,
        defaults={"model": {"name": kind.model}, "batch": 2, "data": data.options.model_dump(), "phase": phase},
    )
    ranks = connect("gpu", 1)
    engine = Engine(kind.network, read_config("", 2, ranks, 2), ranks, tmp_path / "run/checkpoint", 0.9)
    trainer = PhaseTrainer(ranks, recipe, "only", data, engine, SimpleNamespace(path=Path("run")))
    data.place(ranks.device)
    try:
        for k, step in enumerate(trainer.feed.steps(trainer.order, trainer.share, range(8))):
            torch.cuda.set_sync_debug_mode("error" if k > 2 else "default")
            trainer._step(step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(torch.isfinite(total) for total in trainer.sums.values())
