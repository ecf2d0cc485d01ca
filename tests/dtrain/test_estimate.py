"""What a training step costs, told before it is taken: held against a step that is taken."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dtrain.config import load_recipe
from dtrain.data import data as data_sets
from dtrain.estimate import ADAM, AVERAGE, Cost, cost_of, peak_rate
from dtrain.pace import Pace, efficiency_of
from dtrain.weights import build_network
from tests.flow_factory import write_flow


@pytest.fixture(scope="module")
def tasks(isoconfig, tmp_path_factory):
    """Network, data and loss of both kinds of data, by name of the network."""
    flow = tmp_path_factory.mktemp("flow") / "flow.h5"
    write_flow(flow)
    made = {}
    for recipe, settings in (
        ("dtrain/recipes/botan.toml", [f"data.file={isoconfig}", "data.time=1", "data.positions=thermal"]),
        ("dtrain/recipes/flow_cnn.toml", [f"data.file={flow}", "data.frames=2", "data.unroll=1"]),
        ("dtrain/recipes/flow.toml", [f"data.file={flow}"]),
    ):
        given = load_recipe(recipe, settings)
        data = data_sets.get(given.data.name)(given.data_in(next(iter(given.phase))), seed=1)
        made[given.model.name] = build_network(given, data.sizes), data, given.loss_in(next(iter(given.phase)))
    return made


@pytest.mark.parametrize("name", ["botan", "flow-cnn", "flow-unet"])
def test_the_estimate_is_what_a_step_does_and_keeps(tasks, name):
    """The same operations, and the bytes that autograd holds to two per cent; the network stays as it was."""
    network, data, options = tasks[name]
    before = copy.deepcopy(network.state_dict())
    cost = cost_of(network, data, options)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items()) and network.training

    batch, kept = data.batch([data.split["train"][0]], [0]), {}
    own = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one):
        loss = data.loss(data.output(network, batch), batch, options)["loss"].sum()
        held = sum(kept.values())
        loss.backward()
    assert cost.n_operations == counter.get_total_flops() > 1e6
    assert cost.kept_bytes == pytest.approx(held, rel=0.02) and held > 1e4
    n_parameters = sum(p.numel() for p in network.parameters())
    assert cost.parameter_bytes == ADAM * n_parameters
    with_average = cost_of(network, data, options, ema=0.9)
    assert with_average == cost._replace(parameter_bytes=(ADAM + AVERAGE) * n_parameters)


def test_shapes_that_depend_on_values_have_no_estimate(tasks):
    """A network that picks by truth values."""
    _, data, options = tasks["flow-cnn"]

    class Picks(torch.nn.Linear):
        def forward(self, x):
            return (super().forward(x[x > 0].reshape(-1, 1)),)

    class Like(type(data)):
        def output(self, network, batch):
            return network(batch.given)

    data = copy.copy(data)
    data.__class__ = Like
    assert cost_of(Picks(1, 1), data, options) is None


class Alone:
    """The one process of a training."""

    device = torch.device("cpu")

    def all_gather(self, value):
        return [value]


class Pair(Alone):
    """Two processes, of which the other one waits more."""

    def all_gather(self, value):
        pace, rate, memory = value
        return [value, (pace._replace(waited=1.0), rate, memory + 5)]


def test_the_rate_is_a_share_of_what_all_devices_can_do(monkeypatch):
    """10 steps in 2 s, 4 samples each of 3 GFLOP: 60 GFLOP/s of twice 120."""
    monkeypatch.setattr("dtrain.pace.peak_rate", lambda device, dtype: 120e9)
    monkeypatch.setattr("dtrain.pace.peak_memory", lambda device: 1_000_000_000)
    found, told = efficiency_of(Pair(), Pace(10, 2.0, 0.1, 1.5), 4, Cost(3e9, 0, 0), torch.float32)
    assert found == {
        "step_ms": 200,
        "processor_ms": 150,
        "waited": 0.5,
        "samples_per_s": 20,
        "memory_bytes": 1_000_000_005,
        "flops": 60e9,
        "of_peak": 0.25,
    }
    words = "200 ms per step, 150 of processors", "20 samples/s", "60 GFLOP/s, 25 % of", "50 % of the time waiting"
    assert all(word in told for word in (*words, "1 GB at most"))


def test_no_step_no_figures_and_no_measurement(monkeypatch):
    monkeypatch.setattr("dtrain.pace.peak_rate", lambda device, dtype: pytest.fail("a rate was measured"))
    assert efficiency_of(Alone(), Pace(), 4, None, torch.float32) == ({}, "")


def test_memory_is_that_of_the_training_without_what_measures_the_rate(monkeypatch):
    held = [5]

    def rate(device, dtype):
        held.append(800_000_000)
        return 1e9

    monkeypatch.setattr("dtrain.pace.peak_rate", rate)
    monkeypatch.setattr("dtrain.pace.peak_memory", lambda device: max(held))
    found, _ = efficiency_of(Alone(), Pace(1, 1.0, 0.0), 1, None, torch.float32)
    assert found["memory_bytes"] == 5


def test_the_rate_of_a_product_is_that_of_this_machine():
    """Between a slow core and a hundred fast ones."""
    assert 1e8 < peak_rate(torch.device("cpu")) < 1e14


def test_threads_count_as_often_as_there_are_cores_for_them(monkeypatch):
    """Threads that wait for each other, or for a core, would make the rate anything: one is measured."""
    counts = []
    monkeypatch.setattr("dtrain.estimate._rate_of_product", lambda *_: counts.append(torch.get_num_threads()) or 1e9)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    n_threads = torch.get_num_threads()
    try:
        for n, rate in ((1, 1e9), (2, 2e9), (4, 2e9)):
            torch.set_num_threads(n)
            assert peak_rate(torch.device("cpu")) == rate and torch.get_num_threads() == n
    finally:
        torch.set_num_threads(n_threads)
    assert counts == [1, 1, 1]
