"""What a flow keeps, whatever it does: mass, momentum, symmetry, digits."""

import numpy as np
import pytest

from lbmgen import simulate
from lbmgen.collisions import collision
from tools.flow_cases import taylor_green

LATTICES = {"D2Q9": (20, 20), "D3Q19": (12, 12, 12), "D3Q27": (12, 12, 12)}


def noise(shape, size=0.03, seed=1):
    random = np.random.default_rng(seed)
    return 1 + size / 3 * random.standard_normal(shape), size * random.standard_normal((*shape, len(shape)))


def ball(shape, radius):
    """Signed distance to a ball in the middle."""
    places = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1)
    return np.linalg.norm(places - np.array(shape) / 2, axis=-1) - radius


@pytest.mark.parametrize("law", collision.names())
def test_mass_and_momentum_of_a_periodic_box_stay_to_rounding(law):
    """Over a thousand steps, in double precision."""
    rho, u = noise((24, 24))
    flow = simulate(rho, u, 0.6, 1000, collision=law)
    assert abs(flow.rho.sum() - rho.sum()) < 1e-11
    np.testing.assert_allclose(
        (flow.rho[..., None] * flow.u).sum((0, 1)), (rho[..., None] * u).sum((0, 1)), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("lattice", LATTICES)
def test_a_closed_box_around_a_body_keeps_its_mass_to_rounding(lattice):
    shape = LATTICES[lattice]
    rho, u = noise(shape)
    solid = ball(shape, 3.1) <= 0
    flow = simulate(rho, u, 0.6, 500, lattice=lattice, solid=solid, boundaries="no-slip")
    assert abs(flow.rho[~solid].sum() - rho[~solid].sum()) < 1e-12 * rho.size


@pytest.mark.parametrize("law", collision.names())
@pytest.mark.parametrize("lattice", LATTICES)
def test_a_mirrored_flow_is_the_mirror_of_the_flow(lattice, law):
    """Along each axis, with a force and a body, to rounding."""
    shape = LATTICES[lattice]
    rho, u = noise(shape)
    sdf, force = ball(shape, 3.3), 1e-3 * np.arange(1, len(shape) + 1)
    flow = simulate(rho, u, 0.7, 10, lattice=lattice, collision=law, sdf=sdf, force=force)
    for axis in range(len(shape)):
        sign = np.where(np.arange(len(shape)) == axis, -1, 1)
        mirrored = simulate(
            np.flip(rho, axis), np.flip(u, axis) * sign, 0.7, 10,
            lattice=lattice, collision=law, sdf=sdf, force=force * sign,
        )  # fmt: skip
        np.testing.assert_allclose(mirrored.rho, np.flip(flow.rho, axis), rtol=0, atol=2e-14)
        np.testing.assert_allclose(mirrored.u, np.flip(flow.u, axis) * sign, rtol=0, atol=2e-15)
        np.testing.assert_allclose(mirrored.body_force, flow.body_force * sign, rtol=0, atol=1e-13)


@pytest.mark.parametrize("lattice", LATTICES)
def test_a_turned_flow_is_the_flow_turned(lattice):
    """Axes exchanged, to rounding."""
    shape = LATTICES[lattice]
    rho, u = noise(shape)
    sdf, last = ball(shape, 3.3), len(shape) - 1
    flow = simulate(rho, u, 0.7, 10, lattice=lattice, collision="trt", sdf=sdf)
    order = np.r_[last, 1:last, 0]
    turned = simulate(
        rho.swapaxes(0, last), u.swapaxes(0, last)[..., order], 0.7, 10, lattice=lattice, collision="trt", sdf=sdf
    )
    np.testing.assert_allclose(turned.u, flow.u.swapaxes(0, last)[..., order], rtol=0, atol=2e-15)
    np.testing.assert_allclose(turned.body_force, flow.body_force[:, order], rtol=0, atol=1e-13)


@pytest.mark.parametrize("walls", ["solid", "sdf"])
@pytest.mark.parametrize("lattice", ["D2Q9", "D3Q19"])
def test_in_steady_flow_the_body_takes_all_of_the_driving_force(lattice, walls):
    """An array of bodies in a periodic box: drag is the force density times the volume of fluid."""
    shape, force = LATTICES[lattice], np.array([1e-5, -2e-6, 3e-6])
    force, sdf = force[: len(shape)], ball(shape, 3.3)
    body = {"sdf": sdf} if walls == "sdf" else {"solid": sdf <= 0}
    flow = simulate(
        np.ones(shape), np.zeros((*shape, len(shape))), 1.0, 3000, lattice=lattice, collision="trt", force=force, **body
    )
    np.testing.assert_allclose(flow.body_force[-1], force * (sdf > 0).sum(), rtol=1e-8)


def test_single_precision_keeps_the_digits_of_slow_flow():
    """Populations are deviations from rest: errors of density far below those of 1 + epsilon."""
    rho, u = taylor_green(128, 1e-3)
    single, double = (simulate(rho, u, 0.55, 3000, dtype=dtype) for dtype in ("float32", "float64"))
    assert np.abs(double.u).max() > 3e-4
    assert np.abs(single.u - double.u).max() < 1e-5 * np.abs(double.u).max()
    assert np.abs(single.rho - double.rho).max() < 1e-8
    assert abs(single.rho.mean() - double.rho.mean()) < 1e-10
