"""The network for any time: what no turn changes, how its two answers are joined, and its training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dtrain.data.glass_files import TimesOptions
from dtrain.data.glass_times import GlassTimes
from dtrain.least_squares import solve
from dtrain.metrics import pearson
from dtrain.models import model
from dtrain.models.any_time import AnyTime
from dtrain.models.invariant import REACH, Invariant, filters, traceless
from dtrain.weights import load_model
from runkit.mpi import SerialWorld
from tests.dtrain.conftest import curve, on_two, train_here
from tests.isoconfig_factory import write_isoconfig

RECIPE = """
name = "any"
ema = 0.8
log_every = 4
validate_every = 4
[model]
name = "any-time"
parameters = { width = 8, rounds = 2 }
[data]
name = "glass-times"
positions = "both"
descriptors = true
[phase.messages]
epochs = 12
learning_rate = 1e-2
decay = "cosine"
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_isoconfig(tmp_path_factory.mktemp("any") / "few.h5", n_samples=6, n_times=3, n_replicas=8, seed=5)


@pytest.fixture(scope="module")
def data(file):
    return GlassTimes(TimesOptions(file=str(file), positions="both", descriptors=True))


@pytest.fixture(scope="module")
def network(data):
    torch.manual_seed(3)
    found = AnyTime(**data.sizes, width=8, rounds=2)
    solve(SerialWorld(), found, data, "test")
    return found


@pytest.fixture(scope="module")
def run(file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "any.toml").write_text(RECIPE)
    code, printed = train_here(folder, "any.toml", f"data.file={file}", "threads=1")
    assert code == 0, printed
    return folder / "runs" / "any"


@pytest.mark.parametrize("reflected", [False, True])
def test_no_turn_or_reflection_changes_an_answer(data, network, reflected):
    batch = data.batch([1])
    x, edge_index, edge_attr = (t.double() if t.is_floating_point() else t for t in data.inputs(batch))
    turn = torch.tensor(np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0])
    turn = turn * torch.sign(torch.linalg.det(turn)) * (-1 if reflected else 1)
    turned = (edge_attr.unflatten(1, (2, 3)) @ turn).flatten(1)
    twin = AnyTime(**data.sizes, width=8, rounds=2).double().eval()
    twin.load_state_dict(network.state_dict())
    before, after = twin(x, edge_index, edge_attr), twin(x, edge_index, turned)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


def test_tensors_of_directions_keep_their_products():
    """Their product is that of the tensors u u - 1/3: (u.v)^2 - 1/3, and 2/3 with itself."""
    u, v = (torch.nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64), dim=1) for _ in "uv")
    expected = (u * v).sum(1).square() - 1 / 3
    torch.testing.assert_close((traceless(u) * traceless(v)).sum(1), expected)


def test_messages_end_smoothly_at_their_reach():
    at = torch.tensor([[REACH - 1e-4], [REACH - 0.1]], dtype=torch.float64)
    assert filters(at)[0].max() < 1e-6 < filters(at)[1].max()


def test_messages_come_from_as_far_as_is_told(data, network):
    """What moves a particle changes answers within `reach` edges of it alone, and some beyond one edge."""
    batch = data.batch([1])
    x, edge_index, edge_attr = data.inputs(batch)
    moved = x.clone()
    moved[0, 1:] += 0.5
    network.eval()
    with torch.no_grad():
        changed = (network(x, edge_index, edge_attr)[0] != network(moved, edge_index, edge_attr)[0]).any(dim=1)
    seen = torch.zeros(len(x), dtype=torch.bool)
    seen[0] = True
    near = [seen.clone()]
    for _ in range(network.reach):
        seen = seen | torch.zeros_like(seen).index_put((edge_index[1],), seen[edge_index[0]], accumulate=True)
        near.append(seen.clone())
    assert not changed[~near[-1]].any() and changed[0]


def test_both_directions_of_a_pair_have_one_answer(data, network):
    batch = data.batch([0])
    network.eval()
    edge = network(*data.inputs(batch))[1].detach()
    (source, target), n = batch.edge_index, len(batch.x)
    order, back = torch.argsort(source * n + target), torch.argsort(target * n + source)
    torch.testing.assert_close(edge[order], edge[back], atol=1e-5, rtol=1e-5)


def test_in_training_messages_answer_alone_and_else_the_mean_of_both(data, network):
    inputs = data.inputs(data.batch([2]))
    with torch.no_grad():
        alone = network.train()(*inputs)
        both = network.eval()(*inputs)
        linear = [one(*inputs) for one in network.linear]
    for i in (0, 1):
        of_knots = torch.stack([answers[i] for answers in linear], dim=1)
        torch.testing.assert_close(both[i], 0.5 * (alone[i] + of_knots), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(both[2], alone[2])


def test_training_lowers_the_loss_and_leaves_what_was_solved(run, data, network):
    losses = [float(row["loss"]) for row in curve(run)]
    assert np.mean(losses[-2:]) < 0.8 * np.mean(losses[:2])
    trained = load_model(run).network.state_dict()
    for name, weights in network.state_dict().items():
        if name.startswith(("linear", "level")):
            torch.testing.assert_close(trained[name], weights, atol=1e-5, rtol=1e-4)


def test_what_was_trained_has_learnt_from_neighbours(run, data):
    network = load_model(run).network.train()  # messages alone
    batch = data.batch([data.split["test"][0]])
    with torch.no_grad():
        node = network(*data.inputs(batch))[0]
    for k in range(3):
        assert pearson(node[batch.node_mask, k].numpy(), batch.node_target[batch.node_mask, k].numpy()) > 0.35


def test_a_run_that_was_cut_goes_on_to_the_same_weights(run, file, tmp_path):
    (tmp_path / "any.toml").write_text(RECIPE)
    half = "phase.messages.epochs=12", f"data.file={file}", "threads=1"
    code, printed = train_here(tmp_path, "any.toml", *half, "minutes=0.0001")
    assert code == 75, printed
    while code == 75:
        code, printed = train_here(tmp_path, "any.toml", *half)
    assert code == 0 and "goes on after step" in printed
    again, whole = (load_model(folder).network.state_dict() for folder in (tmp_path / "runs" / "any", run))
    for name, weights in whole.items():
        torch.testing.assert_close(again[name], weights, atol=1e-5, rtol=1e-4)


def test_two_processes_train_the_same_network(run, file, tmp_path):
    from dtrain.train import main

    (tmp_path / "any.toml").write_text(RECIPE.replace('name = "any"', 'name = "any"\nbatch = 2'))
    words = f"data.file={file}", "threads=1", "device=cpu", "phase.messages.epochs=2"
    on_two(main, tmp_path, "any.toml", *words)
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "any.toml").write_text((tmp_path / "any.toml").read_text())
    assert train_here(alone, "any.toml", *words)[0] == 0
    two, one = (load_model(folder / "runs" / "any").network.state_dict() for folder in (tmp_path, alone))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, atol=1e-4, rtol=1e-3)


def test_parameters_out_of_range_are_refused():
    with pytest.raises(Exception, match="rounds = -1 is not allowed; allowed: a whole number from 0"):
        model.build("any-time", node_width=9, n_leading=2, rounds=-1)
    with pytest.raises(Exception, match="share = 2 is not allowed; allowed: 0 to 1"):
        model.build("any-time", node_width=9, n_leading=2, share=2)
    assert Invariant(3, 4, 2).n_outputs == 12
