"""Bodies: where their walls lie, and what force they take."""

import numpy as np
import pytest

from lbmgen import simulate
from lbmgen.api import faces_of
from lbmgen.domain import Body, Domain, cut
from lbmgen.lattices import LATTICES, lattice
from lbmgen.layout import STRAIGHT, Layout
from lbmgen.walls import Boundary

LAWS = {"D2Q9": "trt", "D3Q19": "bgk", "D3Q27": "regularised"}


def circle(shape, center, radius):
    """Signed distance [*shape] of a circle, or a cylinder along z."""
    x, y = (np.arange(n) + 0.5 for n in shape[:2])
    distance = np.hypot(x[:, None] - center[0], y[None, :] - center[1]) - radius
    return np.broadcast_to(distance.reshape(distance.shape + (1,) * (len(shape) - 2)), shape)


def test_tables_are_contiguous_so_that_all_blocks_take_the_same_compiled_step():
    """With and without links and outlets: their order in memory is a part of their type."""
    of, shape = lattice("D2Q9"), (9, 8)
    for kinds in ("periodic", {"x_low": "velocity", "x_high": "convective", "y": "no-slip"}):
        for share in (0.0, 0.2):
            solid = np.random.default_rng(1).random([n + 2 for n in shape]) < share
            boundary = Boundary(Layout(of, shape, "float32"), Domain(shape, faces_of(kinds, 2)), (0, 0), Body(solid))
            assert all(table.flags.c_contiguous for table in (*boundary.links, *boundary.outlets))


@pytest.mark.parametrize("faces", ["periodic", "no-slip", "free-slip", "open"])
@pytest.mark.parametrize("name", LATTICES)
def test_all_that_cannot_come_from_fluid_comes_from_one_wall(name, faces):
    """Every fluid site and velocity behind which there is no fluid has exactly one link or opening."""
    of, shape = lattice(name), (9, 8, 7)[: int(name[1])]
    kinds = {"x_low": "velocity", "x_high": "convective", "y": "no-slip"} if faces == "open" else faces
    domain = Domain(shape, faces_of(kinds, of.d))
    solid = np.random.default_rng(1).random(shape) < 0.2
    layout = Layout(of, shape, "float64")
    boundary = Boundary(layout, domain, (0,) * of.d, Body(cut(solid, domain, (0,) * of.d, shape)))
    expected = []
    for i, c in enumerate(of.c):
        for site in np.argwhere(~solid):
            source = site - c
            wrapped = [s % n if periodic else s for s, n, periodic in zip(source, shape, domain.periodic, strict=True)]
            inside = all(0 <= s < n for s, n in zip(wrapped, shape, strict=True))
            if not inside or solid[tuple(wrapped)]:
                expected.append(layout.offset(site) + layout.arrival(i, STRAIGHT))
    found = np.concatenate([boundary.links.target[STRAIGHT], boundary.outlets.target[STRAIGHT]])
    np.testing.assert_array_equal(np.sort(found), np.sort(expected))


@pytest.mark.parametrize("walls", ["solid", "sdf"])
@pytest.mark.parametrize("name", LAWS)
def test_what_the_fluid_loses_the_body_takes(name, walls):
    """Step by step: momentum of the fluid changes by the uniform force less the force on the body."""
    shape = (15, 13, 5)[: int(name[1])]
    random, force = np.random.default_rng(2), np.array([2e-4, -1e-4, 3e-4])[: len(shape)]
    sdf = circle(shape, (7.3, 6.4), 3.2)
    body = {"sdf": sdf} if walls == "sdf" else {"solid": sdf <= 0}
    rho = 1 + 0.01 * random.standard_normal(shape)
    u = 0.03 * random.standard_normal((*shape, len(shape)))

    def momentum(n_steps):
        flow = simulate(rho, u, 0.7, n_steps, lattice=name, collision=LAWS[name], force=force, **body)
        total = (flow.rho[..., None] * flow.u)[sdf > 0].sum(axis=0) - 0.5 * force * (sdf > 0).sum()
        return total, flow.body_force.sum(axis=0)

    before, _ = momentum(0)
    for n_steps in (1, 2, 7):
        after, taken = momentum(n_steps)
        np.testing.assert_allclose(after - before, n_steps * force * (sdf > 0).sum() - taken, rtol=0, atol=3e-12)


@pytest.mark.parametrize("law", ["bgk", "trt", "regularised"])
@pytest.mark.parametrize("gap", [0.02, 0.25, 0.5, 0.7, 0.98])
def test_interpolated_walls_lie_where_the_distance_vanishes(law, gap):
    """Couette flow above a plane anywhere between two sites: the exact profile, the exact drag and no pressure."""
    nx, ny, speed, tau = 3, 12, 0.01, 0.9
    wall = 2.5 - gap
    y = np.arange(ny) + 0.5
    exact = np.where(y > wall, speed * (y - wall) / (ny - wall), 0.0)
    u = np.zeros((nx, ny, 2))
    u[..., 0] = exact
    faces = {"x": "periodic", "y_low": "no-slip", "y_high": {"kind": "no-slip", "velocity": [speed, 0.0]}}
    sdf = np.broadcast_to(y - wall, (nx, ny))
    flow = simulate(np.ones((nx, ny)), u, tau, 2000, sdf=sdf, collision=law, boundaries=faces)
    np.testing.assert_allclose(flow.u[0, :, 0], exact, rtol=0, atol=1e-14 * speed + 1e-17)
    drag = (tau - 0.5) / 3 * speed / (ny - wall) * nx
    np.testing.assert_allclose(flow.body_force[-1], [drag, 0], rtol=1e-9, atol=1e-13)


def test_forces_on_a_body_at_rest_in_a_fluid_at_rest_cancel():
    sdf = circle((20, 21), (9.7, 10.2), 4.4)
    for body in ({"sdf": sdf}, {"solid": sdf <= 0}):
        flow = simulate(np.ones((20, 21)), np.zeros((20, 21, 2)), 0.8, 50, **body)
        np.testing.assert_allclose(flow.body_force, 0, rtol=0, atol=1e-13)
        np.testing.assert_allclose(flow.u, 0, rtol=0, atol=1e-15)


def test_drag_is_the_same_wherever_the_body_lies_between_the_sites():
    """Interpolated walls of a circle, moved by parts of a site; half-way walls change their shape with it."""

    def spread(walls):
        drags = []
        for part in (0.0, 0.2, 0.4, 0.6):
            sdf = circle((32, 32), (16 + part, 16 + 0.7 * part), 5.0)
            body = {"sdf": sdf} if walls == "sdf" else {"solid": sdf <= 0}
            flow = simulate(
                np.ones((32, 32)), np.zeros((32, 32, 2)), 1.0, 3000, collision="trt", force=(1e-5, 0), **body
            )
            drags.append(1e-5 * (32**2 - np.pi * 25) / flow.u[..., 0].mean())
        return np.ptp(drags) / np.mean(drags)

    assert spread("sdf") < 0.01 < spread("solid")


def test_a_body_across_a_periodic_face_is_one_body():
    """Moving everything by half the domain moves the flow and nothing else."""
    shape, shift = (24, 20), (12, 10)
    random = np.random.default_rng(3)
    rho, u = 1 + 0.01 * random.standard_normal(shape), 0.03 * random.standard_normal((*shape, 2))
    sdf = circle(shape, (12.2, 9.9), 5.1)
    here = simulate(rho, u, 0.8, 20, sdf=sdf)
    there = simulate(
        *(np.roll(field, shift, axis=(0, 1)) for field in (rho, u)), 0.8, 20, sdf=np.roll(sdf, shift, axis=(0, 1))
    )
    np.testing.assert_array_equal(there.u, np.roll(here.u, shift, axis=(0, 1)))
    np.testing.assert_array_equal(there.body_force, here.body_force)
