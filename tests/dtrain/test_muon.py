"""Muon: updates of matrices have singular values of about 1; all else learns by Adam."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from dtrain.muon import MOMENTUM, RATE, Muon, orthogonal
from tests.dtrain.conftest import losses, require_goes_on, trained_here


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (12, 12), (1, 7)])
def test_singular_vectors_stay_and_singular_values_become_about_one(shape):
    torch.manual_seed(1)
    matrix = 1e3 * torch.randn(shape)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    values = (left.T @ orthogonal(matrix) @ right.T).diag()
    assert values.min() > 0.6 and values.max() < 1.3
    off = left.T @ orthogonal(matrix) @ right.T - torch.diag(values)
    assert off.abs().max() < 1e-3


def test_no_gradient_is_no_update():
    assert torch.equal(orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_a_filter_is_a_matrix_of_outputs_by_all_else():
    torch.manual_seed(2)
    filters = nn.Parameter(torch.randn(4, 3, 2, 2))
    before, gradient = filters.detach().clone(), torch.randn(4, 3, 2, 2)
    filters.grad = gradient.clone()
    Muon([filters], lr=0.01).step()
    mixed = (1 - MOMENTUM) * MOMENTUM * gradient + (1 - MOMENTUM) * gradient  # of momentum, and of the gradient itself
    wanted = before - RATE * 0.01 * orthogonal(mixed.flatten(1)).view(4, 3, 2, 2)
    torch.testing.assert_close(filters.detach(), wanted)


def test_what_is_no_matrix_learns_by_adam():
    torch.manual_seed(3)
    ours, theirs = (nn.Linear(3, 2) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    muon, adam = Muon(ours.parameters(), lr=0.01), torch.optim.Adam([theirs.bias], lr=0.01)
    for _ in range(3):
        for layer, optimizer in ((ours, muon), (theirs, adam)):
            layer.bias.grad, layer.weight.grad = torch.tensor([1.0, -2.0]), torch.ones(2, 3)
            optimizer.step()
    assert torch.equal(ours.bias, theirs.bias)
    assert not torch.equal(ours.weight, theirs.weight)


def test_weights_and_state_that_are_kept_go_on_in_the_same_way():
    torch.manual_seed(4)
    one, other = nn.Linear(4, 3), nn.Linear(4, 3)
    first, second = Muon(one.parameters()), Muon(other.parameters())

    def step(layer, optimizer, k):
        torch.manual_seed(k)
        for parameter in layer.parameters():
            parameter.grad = torch.randn(parameter.shape)
        optimizer.step()

    step(one, first, 1)
    other.load_state_dict(one.state_dict())
    second.load_state_dict(deepcopy(first.state_dict()))
    for layer, optimizer in ((one, first), (other, second)):
        step(layer, optimizer, 2)
    assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)


def test_a_training_goes_on_as_if_undisturbed_on_another_number_of_processes(averaged_settings, averaged_run, tmp_path):
    words = (*averaged_settings, "optimizer=muon")
    (tmp_path / "whole").mkdir()
    whole = trained_here(tmp_path / "whole", *words)
    require_goes_on(tmp_path, words, 1, losses(whole))
    assert losses(tmp_path / "runs/tiny") == pytest.approx(losses(whole), rel=2e-3)
    assert losses(whole) != pytest.approx(losses(averaged_run), rel=2e-2)  # by Adam
