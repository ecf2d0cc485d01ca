"""What walls, inlets and bodies do, in cases that were once wrong without a word."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lbmgen import simulate
from lbmgen.boundaries.profile import peak, profile
from lbmgen.boundaries.wall import Velocity
from lbmgen.obstacles.placed import PlacedShape
from lbmgen.obstacles.shadow import shadow
from runkit.errors import UserError

N, W = (False, False), (True, True)
SIDES = {
    "a channel in three dimensions": ((24, 16, 12), (N, W, N), 1.5),
    "a mirror in the middle of a channel": ((24, 16, 12), (N, (True, False), N), 1.5),
    "a square duct": ((24, 16, 16), (N, W, W), 2.0963),
    "half of a square duct": ((24, 16, 8), (N, W, (False, True)), 2.0963),
    "a flat duct": ((24, 160, 16), (N, W, W), 1.6012),
}


@pytest.mark.parametrize("sides", SIDES)
def test_a_developed_profile_follows_the_faces_beside_it(sides):
    """Its mean is 1, its peak the known one, and its Laplacian is the same everywhere, as that of a developed flow."""
    shape, no_slip, expected = SIDES[sides]
    room = SimpleNamespace(shape=shape, no_slip=no_slip)
    y, z = np.meshgrid(*(np.arange(n) + 0.5 for n in shape[1:]), indexing="ij")
    u = profile(np.stack([0 * y, y, z], axis=-1).reshape(-1, 3), 0, room).reshape(y.shape)
    assert u.mean() == pytest.approx(1, rel=6e-3) and peak(0, room) == pytest.approx(expected, rel=2e-4)
    assert 0 < u.min() < u.max() <= peak(0, room)
    laplacian = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
    inner = laplacian[3:-3, 2:-2]
    assert np.ptp(inner) < 0.05 * np.abs(inner).mean()


def test_an_inlet_between_mirrors_or_periodic_faces_is_uniform_along_them():
    inlet = Velocity(0.03, "parabolic")
    room = SimpleNamespace(shape=(24, 16, 16), no_slip=(N, W, N))
    y, z = np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5, indexing="ij")
    u = inlet.velocity_at(np.stack([0 * y, y, z], axis=-1).reshape(-1, 3), 0, room)[:, 0].reshape(16, 16) / 0.03
    assert np.ptp(u, axis=1).max() == 0 and u.max() == pytest.approx(1.494, abs=1e-3)
    assert inlet.fastest(0, room) == pytest.approx(0.045)


@pytest.mark.parametrize("lattice", ["D2Q9", "D3Q19", "D3Q27"])
@pytest.mark.parametrize("faces", ["periodic", {"y": "no-slip"}, {"y": "free-slip", "x": "no-slip"}])
def test_interpolated_walls_keep_the_mass_where_no_face_holds_the_density(lattice, faces):
    """To rounding, with a force, with bodies in the middle and on a face."""
    shape = (18, 16, 6)[: int(lattice[1])]
    place = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1)[..., :2]
    sdf = np.min([np.linalg.norm(place - center, axis=-1) - 3.3 for center in ((8.2, 8.7), (15.3, 0.4))], axis=0)
    random = np.random.default_rng(1)
    rho, u = 1 + 0.01 * random.standard_normal(shape), 0.03 * random.standard_normal((*shape, len(shape)))
    force = (1e-4, 2e-5, 3e-5)[: len(shape)]
    flow = simulate(rho, u, 0.6, 300, lattice=lattice, sdf=sdf, force=force, boundaries=faces)
    assert abs(flow.rho[sdf > 0].sum() - rho[sdf > 0].sum()) < 1e-11


@pytest.mark.parametrize("walls", ["sdf", "solid"])
@pytest.mark.parametrize("face", ["no-slip", "free-slip", "convective"])
def test_a_body_on_a_face_takes_no_force_from_a_fluid_at_rest(walls, face):
    place = np.stack(np.meshgrid(np.arange(24) + 0.5, np.arange(16) + 0.5, indexing="ij"), axis=-1)
    sdf = np.linalg.norm(place - (11.7, 0.6), axis=-1) - 4.3
    body = {"sdf": sdf} if walls == "sdf" else {"solid": sdf <= 0}
    flow = simulate(np.ones((24, 16)), np.zeros((24, 16, 2)), 0.7, 20, boundaries={"y": face}, **body)
    np.testing.assert_allclose(flow.body_force, 0, rtol=0, atol=1e-13)


def test_a_flow_that_blows_up_has_no_force():
    """From the step on at which a link brings what no flow brings."""
    x, y = np.indices((48, 32)) + 0.5
    u = np.zeros((48, 32, 2))
    u[..., 0] = 0.25
    faces = {"x_low": {"kind": "velocity", "velocity": 0.25}, "x_high": "convective", "y": "no-slip"}
    flow = simulate(np.ones((48, 32)), u, 0.5005, 1500, sdf=np.hypot(x - 20, y - 16) - 5, boundaries=faces)
    lost = np.isnan(flow.body_force).all(axis=1)
    assert not np.isfinite(flow.rho).all() and lost[-1] and not lost[0]
    assert np.abs(flow.body_force[~lost]).max() < 1e4


def plate(half: float, center: float) -> np.ndarray:
    """Signed distance of a plate 16 sites high in 40 x 32 sites."""
    x, y = np.indices((40, 32)) + 0.5
    away = np.stack([np.abs(x - center) - half, np.abs(y - 16) - 8])
    return np.linalg.norm(np.maximum(away, 0), axis=0) + np.minimum(away.max(axis=0), 0)


@pytest.mark.parametrize("center", [20.0, 20.3, 20.5])
@pytest.mark.parametrize(("half", "fits"), [(0.2, False), (0.4, False), (0.75, True), (1.5, True)])
def test_a_plate_thinner_than_a_site_is_refused_wherever_it_stands(half, fits, center):
    rest = np.ones((40, 32)), np.zeros((40, 32, 2)), 0.8, 0
    if fits:
        simulate(*rest, sdf=plate(half, center))
    else:
        with pytest.raises(UserError, match=r"sdf: .*(thinner than a site|sites thick)"):
            simulate(*rest, sdf=plate(half, center))


def test_a_thick_body_may_end_in_a_thin_edge():
    """Aerofoils in any direction."""
    random = np.random.default_rng(2)
    place = np.stack(np.meshgrid(np.arange(90) + 0.5, np.arange(60) + 0.5, indexing="ij"), axis=-1)
    for code in ("0012", "2412", "0024"):
        body = PlacedShape("aerofoil", {"code": code}, (45, 30), 38, random.uniform(0, 6))
        simulate(np.ones((90, 60)), np.zeros((90, 60, 2)), 0.8, 0, sdf=body.distance(place))


@pytest.mark.parametrize(
    "body",
    [
        {"solid": np.zeros((8, 9))},
        {"solid": np.full((8, 9), 2)},
        {"sdf": np.ones((8, 9), bool)},
        {"sdf": np.ones((8, 9), int)},
    ],
)
def test_a_mask_and_a_distance_are_not_taken_for_each_other(body):
    with pytest.raises(UserError, match="needed, not"):
        simulate(np.ones((8, 9)), np.zeros((8, 9, 2)), 0.8, 1, **body)


def test_shadows_are_united():
    """Bodies behind each other, across a periodic face, and in three dimensions."""
    one, behind, aside = (PlacedShape("circle", {}, (x, y), 8) for x, y in ((10, 16), (30, 16), (30, 1)))
    assert shadow([one, behind], (48, 32), (False, False)) == pytest.approx(8 / 32)
    assert shadow([one, aside], (48, 32), (False, False)) == pytest.approx((8 + 5) / 32)
    assert shadow([one, aside], (48, 32), (False, True)) == pytest.approx((8 + 8) / 32)
    ball, pole = PlacedShape("sphere", {}, (10, 16, 10), 8), PlacedShape("circle", {}, (30, 16, 0), 4)
    room = (48, 32, 20), (False, False, False)
    assert shadow([ball], *room) == pytest.approx(np.pi * 16 / 640, rel=0.1)
    assert shadow([ball, ball.at((30, 16, 10))], *room) == shadow([ball], *room)
    assert shadow([pole], *room) == pytest.approx(4 / 32, rel=0.1)
