"""Where samples lie, and that batches do not depend on it; how fast a training was."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from dtrain.data import store as stores
from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.store import Store
from dtrain.data.tensors import Tensors
from dtrain.pace import Pace, Stopwatch
from tests.dtrain.conftest import train_here

CPU, GPU, META = torch.device("cpu"), torch.device("cuda", 0), torch.device("meta")


@dataclass(frozen=True)
class Numbers(Tensors):
    values: Tensor
    name: str = ""


def numbers(n: int) -> Numbers:
    return Numbers(torch.zeros(n, dtype=torch.uint8), "some")


@pytest.mark.parametrize(
    ("n_bytes", "share", "home", "told"),
    [
        (2**30, 0.5, "cuda", "samples of 1.07 GB stay on cuda:0"),
        (2**30, 0.1, "cpu", "samples of 1.07 GB are kept in memory; batches are sent to cuda:0"),
        (2**30, 0.0, "cpu", "samples of 1.07 GB are kept in memory; batches are sent to cuda:0"),
        (2**34, 0.5, "cpu", "samples of 17.2 GB do not all fit into data.memory = 2 GiB; batches are sent to cuda:0"),
    ],
)
def test_samples_stay_on_a_gpu_that_has_room_for_all_of_them(monkeypatch, n_bytes, share, home, told):
    monkeypatch.setattr(stores, "_free", lambda device: 4 * 2**30)
    store = Store.choose(GPU, n_bytes, 2.0, share)
    assert store.home.type == home and store.device == GPU and str(store) == told


def test_beside_no_gpu_they_stay_in_memory():
    assert str(Store.choose(CPU, 2**29, 4.0, 0.5)) == "samples of 537 MB are kept in memory"


def test_what_is_kept_is_made_once_and_what_exceeds_the_limit_each_time():
    made = []

    def make(n: int) -> Numbers:
        made.append(n)
        return numbers(n)

    store: Store[Numbers] = Store(CPU, CPU, 25, 30)
    for _ in range(2):
        found = [store.get(n, lambda n=n: make(n)) for n in (10, 12, 8)]
        assert [sample.nbytes for sample in found] == [10, 12, 8]
    assert made == [10, 12, 8, 8] and not store.holds_all


def test_a_sample_comes_on_the_device_wherever_it_is_kept():
    for home in (CPU, META):
        sample = Store(META, home, 100, 10).get("a", lambda: numbers(10))
        assert sample.values.device == META and sample.name == "some"


@pytest.fixture(params=["glass", "flow"])
def opened(request, isoconfig, flow_file):
    """A function that opens a data set with all that is drawn in training."""
    if request.param == "glass":
        return lambda **more: Glass(GlassOptions(file=str(isoconfig), positions="both", **more), seed=3)
    split = {"train": 4, "validation": 1, "test": 1}
    return lambda **more: Flow(FlowOptions(file=str(flow_file), split=split, noise=0.2, unroll=2, **more), seed=3)


def test_batches_are_the_same_wherever_samples_are_kept(opened):
    """Bit by bit, whatever was asked for before: in memory, read each time, not placed at all."""
    kept, read, unplaced = opened(), opened(memory=0), opened()
    assert "are kept in memory" in kept.place(CPU) and "do not all fit" in read.place(CPU)
    samples = kept.split["train"]
    for epoch in range(3):
        chosen = samples[epoch : epoch + 4]
        batches = [data.batch(chosen, [epoch] * len(chosen)) for data in (kept, read, unplaced)]
        batches.append(kept.batch(chosen, [epoch] * len(chosen)))
        for other in batches[1:]:
            pairs = zip(batches[0].tensors().values(), other.tensors().values(), strict=True)
            assert all(torch.equal(a, b) for a, b in pairs)
        alone = kept.batch(chosen[2:3], [epoch]).tensors()
        name = "edge_attr" if "edge_attr" in alone else "given"
        whole = batches[0].tensors()[name]
        start = sum(batches[0].n_edges[:2]) if name == "edge_attr" else 2
        assert torch.equal(alone[name], whole[start : start + len(alone[name])])


def test_the_store_is_as_large_as_was_reckoned(opened):
    data = opened()
    data.place(CPU)
    data.batch(data.split["train"], [0] * len(data.split["train"]))
    data.batch(data.split["validation"])
    assert data._store._n_kept == data._store.n_bytes


@pytest.mark.parametrize("more", [{"surface": True}, {"viscosity": True}, {"surface": True, "viscosity": True}])
def test_what_a_network_sees_besides_is_reckoned_too(flow_file, more):
    data = Flow(FlowOptions(file=str(flow_file), split={"train": 4, "validation": 1, "test": 1}, **more), seed=3)
    data.place(CPU)
    data.batch(data.split["train"], [0] * len(data.split["train"]))
    data.batch(data.split["validation"])
    assert data._store._n_kept == data._store.n_bytes


class Feed:
    waited = 0.0


def test_the_first_step_and_what_is_no_training_are_not_timed(monkeypatch):
    clock, feed = iter([10.0, 12.0, 50.0, 53.0]), Feed()
    processors = iter([1.0, 2.0, 30.0, 31.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("time.process_time", lambda: next(processors))
    watch = Stopwatch(feed)
    feed.waited = 5.0
    watch.step_is_over()
    feed.waited = 5.5
    watch.step_is_over()
    watch.leave_out()
    watch.step_is_over()
    assert watch.pace == Pace(2, 5.0, 0.5, 2.0)
    both = Pace.summary([Pace(2, 5.0, 0.25, 4.0), watch.pace])
    assert both == {"step_ms": 2500.0, "processor_ms": 1500.0, "waited": 0.1}
    assert Pace.summary([Pace()]) == {}


def test_a_run_tells_where_samples_are_its_time_per_step_and_its_share_of_waiting(
    opened, isoconfig, flow_file, tmp_path
):
    is_glass = isinstance(opened(), Glass)
    words = ["data.time=1", "model.parameters.rounds=1", "phase.joint.epochs=2", f"data.file={isoconfig}"]
    flow = ["model.parameters.widths=[4]", "phase.frames.epochs=1", "phase.rollouts.data.unroll=2", "data.horizon=3"]
    recipe = "recipes/botan.toml" if is_glass else "recipes/flow_cnn.toml"
    code, output = train_here(tmp_path, recipe, *(words if is_glass else [*flow, f"data.file={flow_file}"]), "name=a")
    assert code == 0, output
    assert "are kept in memory" in output and "ms per step, " in output and "waiting for data" in output
    last = output.strip().splitlines()[-1]
    assert "finished; weights: " in last and "; steps waited for data at most " in last
    parts = dict(re.findall(r"^  (\w+) +(\S+) ", output, re.M))
    assert list(parts) == ["computed", "waited", "file", "data", "memory"]
    assert float(parts["computed"]) > float(parts["file"]) > 0 and float(parts["data"]) > 0
    paces = json.loads((tmp_path / "runs/a/summary.json").read_text())["pace"]
    assert all(pace["step_ms"] > 0 and 0 <= pace["waited"] < 1 for pace in paces.values() if pace)
    assert any(paces.values())
    settings = json.loads((tmp_path / "runs/a/ds_config.json").read_text())
    assert "timers" not in settings, "a run by other timers may go on"
