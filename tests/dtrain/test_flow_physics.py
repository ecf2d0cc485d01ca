"""Residuals of the equations of flow, on fields whose residuals are known."""

from __future__ import annotations

import math

import pytest
import torch

from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowLoss, FlowOptions
from dtrain.flow_physics import SOUND, TERMS, Scene, continuity, momentum, physics_losses, wall
from runkit.errors import UserError

CELL, STEPS, SPEED = 2.0, 100.0, 0.05
X, Y = torch.meshgrid(*(CELL * (torch.arange(n, dtype=torch.float64) + 0.5) for n in (24, 20)), indexing="ij")


def scene(fluid: torch.Tensor | None = None, distance: torch.Tensor | None = None, steps: float = STEPS) -> Scene:
    """Of one clip; without a mask all is fluid, far from any surface."""
    fluid = torch.ones_like(X) if fluid is None else fluid
    distance = torch.full_like(X, 99.0) if distance is None else distance
    return Scene(fluid[None, None, None], distance[None, None, None], CELL, steps, SPEED)


def frames(of_time, n: int = 5, steps: float = STEPS) -> torch.Tensor:
    """[1, 3, t, x, y] of a function of time that gives density and both velocities."""
    shots = [torch.stack([torch.zeros_like(X) + field for field in of_time(k * steps)]) for k in range(n)]
    return torch.stack(shots, 1)[None]


def test_a_source_that_thins_the_fluid_keeps_mass():
    """u = a x, v = b y and a density that falls with the rate a + b."""
    a, b = 2e-4, -5e-5
    known = frames(lambda t: (math.exp(-(a + b) * t), a * X, b * Y))
    thinning = math.sinh((a + b) * STEPS) / ((a + b) * STEPS)  # what a central difference makes of the exponential
    density = known[:, :1, 1:-1, 1:-1, 1:-1]
    wanted = (a + b) * (1 - thinning) * density * CELL / SPEED
    torch.testing.assert_close(continuity(known, scene()), wanted)
    still = frames(lambda t: (1.0, a * X, b * Y))
    torch.testing.assert_close(
        continuity(still, scene()), torch.full((1, 1, 3, 22, 18), (a + b) * CELL / SPEED, dtype=torch.float64)
    )


@pytest.mark.parametrize("residual", [continuity, momentum])
def test_a_wave_of_sound_solves_both_equations_the_better_the_finer_it_is_seen(residual):
    """A wave of small amplitude: what is left falls with the square of the time and the cell."""
    amplitude, speed = 1e-6, math.sqrt(SOUND)
    left = []
    for length in (40.0, 80.0):
        k = 2 * math.pi / (length * CELL)

        def wave(t, k=k):
            swing = amplitude * torch.sin(k * (X - speed * t))
            return 1 + swing, speed * swing, 0.0

        found = residual(frames(wave, steps=0.5), scene(steps=0.5)).abs().max() * SPEED
        left.append(float(found) / (amplitude * k * CELL * (1 if residual is continuity else 1 / SPEED)))
    assert left[0] < 0.01 and left[1] < 0.3 * left[0]


def test_a_vortex_that_its_pressure_holds_together_keeps_momentum():
    """Solid rotation: the pressure is a parabola, of which a central difference is exact."""
    rate, x, y = 2e-3, X - 24, Y - 20
    density = torch.exp(rate**2 * (x**2 + y**2) / (2 * SOUND))
    known = frames(lambda t: (density, -rate * y, rate * x))
    assert momentum(known, scene()).abs().max() < 1e-9
    assert continuity(known, scene()).abs().max() < 1e-9
    loose = frames(lambda t: (1.0, -rate * y, rate * x))
    wanted = -(rate**2) * torch.stack([x, y])[:, None, 1:-1, 1:-1] * CELL / SPEED**2
    torch.testing.assert_close(momentum(loose, scene()), wanted.expand(1, 2, 3, 22, 18))


def test_a_flow_that_sticks_to_an_oblique_wall_does_not_slip_there():
    normal = torch.tensor([0.6, 0.8], dtype=torch.float64)
    distance = normal[0] * X + normal[1] * Y - 20
    sticks = frames(lambda t: (1.0, 0.02 * distance, -0.01 * distance))
    assert wall(sticks, scene(distance=distance)).abs().max() < 1e-9
    slips = frames(lambda t: (1.0, SPEED + 0.02 * distance, -0.01 * distance))
    found = wall(slips, scene(distance=distance))
    torch.testing.assert_close(found[:, 0], torch.ones_like(found[:, 0]))


def test_terms_are_differences_of_residuals_where_they_count():
    fluid = torch.ones_like(X)
    fluid[8:12, 8:12] = 0
    distance = CELL * (torch.hypot(X - 20, Y - 20) / CELL - 2)
    here = scene(fluid, distance)
    torch.manual_seed(0)
    true = 1 + 0.01 * torch.randn(1, 3, 4, *X.shape, dtype=torch.float64)
    weights = dict.fromkeys(TERMS, 1.0)
    assert set(physics_losses(true, true, here, weights)) == set(TERMS)
    assert not any(float(value) for value in physics_losses(true, true, here, weights).values())
    assert physics_losses(true, true, here, {"wall": 1.0}).keys() == {"wall"}
    inside = true.clone()
    inside[:, :, :, 9:11, 9:11] += 1  # bodies count nowhere, beyond the surface that the velocity is continued to
    found = physics_losses(inside, true, here, weights)
    assert not found["continuity"] and not found["momentum"] and not found["faces"]
    border = true.clone()
    border[:, 1, :, 0] += SPEED
    found = physics_losses(border, true, here, weights)
    assert float(found["faces"]) == pytest.approx(0.5 * X.shape[1] / (2 * sum(X.shape) - 4))


def test_weights_add_to_the_loss_of_a_batch_and_gradients_flow(flow_file):
    flow = Flow(FlowOptions(file=str(flow_file), split={"train": 4, "validation": 1, "test": 1}))
    batch = flow.batch(flow.split["train"][:2], [0, 0])
    output = (batch.target + 0.1 * torch.randn(batch.target.shape)).requires_grad_()
    plain = flow.loss((output,), batch, FlowLoss())
    for term in TERMS:
        found = flow.loss((output,), batch, FlowLoss(**{term: 0.7}))
        assert found.keys() - plain.keys() == {f"{term}_loss"}
        torch.testing.assert_close(found["loss"], plain["loss"] + 0.7 * found[f"{term}_loss"])
        assert torch.autograd.grad(found[f"{term}_loss"].sum(), output, retain_graph=True)[0].abs().max() > 0
    perfect = flow.loss((batch.target,), batch, FlowLoss(**dict.fromkeys(TERMS, 1.0)))
    assert not perfect["loss"].any()


def test_residuals_in_time_need_three_frames(flow_file):
    flow = Flow(FlowOptions(file=str(flow_file), frames=1, split={"train": 4, "validation": 1, "test": 1}))
    flow.require(FlowLoss(wall=1.0))
    with pytest.raises(UserError, match=r"data.frames = 1: .*three frames.*data.unroll"):
        flow.require(FlowLoss(continuity=1.0))
