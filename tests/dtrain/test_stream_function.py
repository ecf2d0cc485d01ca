"""The velocities of a stream function that are nearest to given ones."""

from __future__ import annotations

import pytest
import torch

from dtrain.models.mirrors import NO_PLANES
from dtrain.models.stream_function import curl, without_divergence

SPREADS = (0.3, 0.05)
FACES = [
    ((False, False), NO_PLANES),
    ((False, True), NO_PLANES),
    ((True, True), NO_PLANES),
    ((False, False), ((False, False), (True, True))),
    ((True, False), ((False, False), (True, False))),
]


@pytest.mark.parametrize(("periodic", "planes"), FACES)
@pytest.mark.parametrize("shape", [(16, 12), (7, 9), (1, 5), (2, 2)])
def test_what_has_a_stream_function_stays_as_it_is(periodic, planes, shape):
    found = curl(torch.randn(2, 1, 3, *shape), periodic, SPREADS, planes)
    torch.testing.assert_close(without_divergence(found, periodic, SPREADS, planes), found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("periodic", "planes"), FACES)
def test_what_is_taken_away_is_at_right_angles_to_all_that_has_a_stream_function(periodic, planes):
    """In physical units: so no velocity of a stream function is nearer."""
    given, other = torch.randn(2, 2, 3, 16, 12), curl(torch.randn(2, 1, 3, 16, 12), periodic, SPREADS, planes)
    found = without_divergence(given, periodic, SPREADS, planes)
    weights = torch.tensor(SPREADS).square().view(1, 2, 1, 1, 1)
    taken, norm = given - found, float((weights * given * given).sum())
    assert abs(float((weights * taken * other).sum())) < 1e-4 * norm
    assert 0.3 * norm < float((weights * taken * taken).sum()) < 0.7 * norm  # about half of what is random


def test_gradients_go_through_the_projection_as_through_one_at_right_angles():
    given = torch.randn(1, 2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: without_divergence(x, (False, True), SPREADS), given)


def test_in_half_precision_no_divergence_is_left():
    given = torch.randn(1, 2, 1, 16, 12)
    with torch.autocast("cpu", torch.bfloat16):
        found = without_divergence(given.bfloat16(), (False, False), SPREADS)
    u, v = found[:, 0] * SPREADS[0], found[:, 1] * SPREADS[1]
    divergence = (u[..., 2:, 1:-1] - u[..., :-2, 1:-1] + v[..., 1:-1, 2:] - v[..., 1:-1, :-2]) / 2
    assert float(divergence.abs().max()) < 1e-6
