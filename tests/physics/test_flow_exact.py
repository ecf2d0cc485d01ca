"""Flows with a known solution."""

import numpy as np
import pytest

from lbmgen import simulate
from lbmgen.collisions import collision
from tools.flow_cases import taylor_green


def decayed(n, law, tau=0.8):
    """Error of Taylor-Green vortices against the exact decay after one viscous time, and the decay found."""
    velocity, nu = 0.64 / n, (tau - 0.5) / 3
    n_steps = round(0.5 / (2 * nu * (2 * np.pi / n) ** 2))
    rho, u = taylor_green(n, velocity)
    found = simulate(rho, u, tau, n_steps, collision=law).u
    exact = u * np.exp(-2 * nu * (2 * np.pi / n) ** 2 * n_steps)
    return np.sqrt(((found - exact) ** 2).sum() / (exact**2).sum())


@pytest.mark.parametrize("law", ["bgk", "trt", "regularised"])
def test_vortices_decay_with_an_error_of_second_order_in_the_spacing(law):
    """Taylor-Green at fixed tau, so that the Mach number falls with the spacing."""
    errors = [decayed(n, law) for n in (16, 32, 64)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.9).all() and (orders < 2.2).all(), (errors, orders)
    assert errors[-1] < 1.5e-3


@pytest.mark.parametrize("tau", [0.55, 0.8, 1.0, 2.0])
@pytest.mark.parametrize(("lattice", "width"), [("D2Q9", 7), ("D3Q19", 5), ("D3Q27", 4)])
def test_poiseuille_is_exact_with_two_relaxation_times(lattice, width, tau):
    """magic = 3/16 puts half-way walls where they are, at any viscosity: the parabola to rounding."""
    shape, nu, centre = (3, width, 3)[: int(lattice[1])], (tau - 0.5) / 3, 0.02
    y = np.arange(width) + 0.5
    force = 8 * nu * centre / width**2
    exact = np.broadcast_to((force / (2 * nu) * y * (width - y)).reshape(-1, *[1] * (len(shape) - 2)), shape)
    u = np.stack([exact] + [np.zeros(shape)] * (len(shape) - 1), axis=-1)
    flow = simulate(
        np.ones(shape), u, tau, round(25 * width**2 / nu), lattice=lattice, collision="trt",
        force=(force, *[0] * (len(shape) - 1)), boundaries={"y": "no-slip"},
    )  # fmt: skip
    np.testing.assert_allclose(flow.u[..., 0], exact, rtol=0, atol=1e-12 * centre)


@pytest.mark.parametrize("tau", [0.6, 0.93301270189, 1.5])
def test_poiseuille_of_one_relaxation_time_slips_as_theory_says(tau):
    """u - exact = centre [(16/3)(tau - 1/2)^2 - 1] / n_y^2, everywhere (X. He et al., J. Stat. Phys. 87, 115, 1997)."""
    width, nu, centre = 9, (tau - 0.5) / 3, 0.02
    y, force = np.arange(width) + 0.5, 8 * nu * centre / width**2
    exact = force / (2 * nu) * y * (width - y)
    flow = simulate(
        np.ones((2, width)), np.zeros((2, width, 2)), tau, round(25 * width**2 / nu), force=(force, 0),
        boundaries={"y": "no-slip"},
    )  # fmt: skip
    slip = centre * (16 / 3 * (tau - 0.5) ** 2 - 1) / width**2
    np.testing.assert_allclose(flow.u[0, :, 0] - exact, slip, rtol=0, atol=1e-11)


@pytest.mark.parametrize("law", collision.names())
def test_shear_waves_decay_at_the_viscosity_of_tau(law):
    """Along the axes and along a diagonal; an eddy viscosity adds what the mean strain says."""
    n, tau, velocity = 80, 0.7, 1e-4
    nu, k = (tau - 0.5) / 3, 2 * np.pi / 80
    x, y = np.meshgrid(np.arange(n) + 0.5, np.arange(n) + 0.5, indexing="ij")
    for phase, direction, squared in (
        (k * y, (1, 0), k**2),
        (k * x, (0, 1), k**2),
        (k * (x + y), (2**-0.5, -(2**-0.5)), 2 * k**2),
    ):
        u = velocity * np.sin(phase)[..., None] * np.array(direction)
        n_steps = round(0.7 / (nu * squared))
        found = simulate(np.ones((n, n)), u, tau, n_steps, collision=law).u
        decay = -np.log((found * u).sum() / (u * u).sum()) / (n_steps * squared)
        assert decay == pytest.approx(nu, rel=3e-3)


def test_sound_travels_at_one_over_the_root_of_three():
    """A long standing wave in a periodic box turns round after half a period."""
    n = 120
    wave = 1e-4 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)[:, None] * np.ones((1, 3))
    half = round(n * np.sqrt(3) / 2)
    flow = simulate(1 + wave, np.zeros((n, 3, 2)), 0.51, half, collision="regularised")
    correlation = ((flow.rho - 1) * wave).sum() / (wave**2).sum()
    assert -1 < correlation < -0.98


def test_vortices_that_drift_are_those_that_stay():
    """Galilean invariance: once around the box they differ by an error of second order in the spacing."""
    errors = []
    for n in (32, 64):
        (rho, u), drift = taylor_green(n, 1.28 / n), np.array([2.56 / n, 0.0])
        n_steps = round(n / drift[0])
        moved = simulate(rho, u + drift, 0.6, n_steps, collision="trt").u - drift
        stayed = simulate(rho, u, 0.6, n_steps, collision="trt").u
        errors.append(np.abs(moved - stayed).max() / np.abs(stayed).max())
    assert errors[1] < 0.012
    assert 3.3 < errors[0] / errors[1] < 4.7
