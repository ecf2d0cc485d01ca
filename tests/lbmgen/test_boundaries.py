"""What the faces of the domain do to a flow."""

import numpy as np
import pytest

from lbmgen import simulate

FACES = {"D2Q9": ("x", "y"), "D3Q19": ("x", "y", "z")}
SHAPES = {"D2Q9": (12, 17), "D3Q19": (7, 6, 9)}


def noise(shape, seed=1):
    random = np.random.default_rng(seed)
    return 1 + 0.01 * random.standard_normal(shape), 0.03 * random.standard_normal((*shape, len(shape)))


def rest(shape):
    return np.ones(shape), np.zeros((*shape, len(shape)))


@pytest.mark.parametrize("kind", ["no-slip", "free-slip"])
@pytest.mark.parametrize("lattice", SHAPES)
def test_a_closed_box_keeps_its_mass(lattice, kind):
    rho, u = noise(SHAPES[lattice])
    flow = simulate(rho, u, 0.6, 500, lattice=lattice, boundaries=kind)
    assert abs(flow.rho.sum() - rho.sum()) < 1e-12 * rho.size


def test_a_sliding_wall_lets_no_mass_in():
    rho, u = noise((16, 16))
    faces = {"x": "no-slip", "y_low": "no-slip", "y_high": {"kind": "no-slip", "velocity": [0.05, 0.0]}}
    flow = simulate(rho, u, 0.6, 500, boundaries=faces)
    assert abs(flow.rho.sum() - rho.sum()) < 1e-12 * rho.size
    assert flow.u[8, -1, 0] > 0.02


@pytest.mark.parametrize("profile", ["uniform", "parabolic"])
@pytest.mark.parametrize("lattice", SHAPES)
def test_an_inlet_lets_in_exactly_its_mean_velocity_times_its_area(lattice, profile):
    """Until the first sound has come back; a parabola is sampled where links cross the face."""
    shape, velocity, n_steps = (20, *SHAPES[lattice][1:]), 0.02, 6
    faces = {axis: "free-slip" if profile == "uniform" else "no-slip" for axis in FACES[lattice]}
    faces |= {"x_low": {"kind": "velocity", "velocity": velocity, "profile": profile}, "x_high": "no-slip"}
    flow = simulate(*rest(shape), 0.8, n_steps, lattice=lattice, boundaries=faces)
    gained = (flow.rho.sum() - np.prod(shape)) / (n_steps * velocity * np.prod(shape[1:]))
    assert gained == pytest.approx(1, abs=1e-12 if profile == "uniform" else 0.002)


@pytest.mark.parametrize("lattice", SHAPES)
def test_a_free_slip_face_is_a_mirror(lattice):
    """Half a domain with it is half of a whole, symmetric one, with and without a body across the face."""
    half = SHAPES[lattice]
    rho, u = noise(half)
    solid = np.hypot(*(np.indices(half)[:2] + 0.5 - np.reshape((4, half[1] - 1.3), (2, *[1] * len(half))))) < 2.2
    signs = np.where(np.arange(len(half)) == 1, -1, 1)
    whole = [np.concatenate([field, np.flip(field, 1)], axis=1) for field in (rho, solid)]
    both = np.concatenate([u, np.flip(u, 1) * signs], axis=1)
    faces = {"x": "periodic", "y_low": "no-slip", "y_high": "free-slip"}
    walls = {"x": "periodic", "y": "no-slip"}
    for body in (False, True):
        mine = simulate(rho, u, 0.7, 9, lattice=lattice, boundaries=faces, solid=solid if body else None)
        theirs = simulate(whole[0], both, 0.7, 9, lattice=lattice, boundaries=walls, solid=whole[1] if body else None)
        np.testing.assert_allclose(mine.u, theirs.u[:, : half[1]], rtol=0, atol=1e-14)
        np.testing.assert_allclose(mine.rho, theirs.rho[:, : half[1]], rtol=0, atol=1e-13)
        np.testing.assert_allclose(2 * mine.body_force[:, 0], theirs.body_force[:, 0], rtol=0, atol=1e-12)


def test_between_two_pressures_a_channel_carries_what_poiseuille_says():
    """u = -dp/dx / (2 rho nu) y (H - y) far from the ends, whose openings are free of shear."""
    nx, ny, tau, drop = 36, 11, 0.9, 3e-4
    faces = {
        "x_low": {"kind": "pressure", "density": 1 + drop / 2},
        "x_high": {"kind": "pressure", "density": 1 - drop / 2},
        "y": "no-slip",
    }
    flow = simulate(*rest((nx, ny)), tau, 8000, collision="trt", boundaries=faces)
    y, middle = np.arange(ny) + 0.5, slice(nx // 2 - 3, nx // 2 + 3)
    slope = np.polyfit(np.arange(nx)[middle], flow.rho[middle].mean(axis=1), 1)[0]
    exact = -slope / (2 * (tau - 0.5)) * y * (ny - y)
    np.testing.assert_allclose(flow.u[nx // 2, :, 0], exact, rtol=1e-3)
    np.testing.assert_allclose(flow.u[nx // 2, :, 1], 0, rtol=0, atol=1e-4 * exact.max())
    assert 0 < nx + drop / slope < 0.12 * ny


OUT = "outlet", "low", "high"


@pytest.mark.parametrize(OUT, [("pressure", 0.7, 1.1), ("convective", 0.0, 0.2), ("characteristic", 0.0, 0.03)])
def test_sound_leaves(outlet, low, high):
    """The largest density that comes back from a pulse, over that of the pulse."""
    n, width, height = 200, 8, 1e-3
    x = np.arange(n) + 0.5
    pulse = height * np.exp(-(((x - 130) / width) ** 2) / 2)[:, None] * np.ones((1, 4))
    u = np.stack([0.05 + pulse / np.sqrt(3), 0 * pulse], axis=-1)
    faces = {"x_low": {"kind": "velocity", "velocity": 0.05}, "x_high": outlet, "y": "free-slip"}
    flow = simulate(1 + pulse, u, 0.55, round(70 / 0.627 + 70 / 0.527), collision="trt", boundaries=faces)
    assert low < np.abs(flow.rho[90:170, 2] - 1).max() / height < high


@pytest.mark.parametrize(OUT, [("pressure", 0.15, 0.5), ("convective", 0.0, 0.05), ("characteristic", 0.0, 0.02)])
def test_a_vortex_leaves(outlet, low, high):
    """Half way out its velocity is that in a longer domain."""
    speed, radius, size = 0.1, 6.0, 0.04

    def half_way(length):
        x, y = np.meshgrid(np.arange(length) + 0.5 - 50, np.arange(64) + 0.5 - 32, indexing="ij")
        turn = size * np.exp(0.5 - (x**2 + y**2) / 2 / radius**2) / radius
        rho = 1 - 3 * size**2 / 2 * np.exp(1 - (x**2 + y**2) / radius**2)
        faces = {"x_low": {"kind": "velocity", "velocity": speed}, "x_high": outlet, "y": "free-slip"}
        u = np.stack([speed - turn * y, turn * x], axis=-1)
        return simulate(rho, u, 0.52, 300, boundaries=faces).u[:80]

    error = np.abs(half_way(80) - half_way(200)).max() / size
    assert low < error < high


def test_periodic_faces_know_no_place():
    rho, u = noise((12, 14, 9))
    here = simulate(rho, u, 0.7, 5, lattice="D3Q19")
    moved = simulate(*(np.roll(a, (5, 7, 4), (0, 1, 2)) for a in (rho, u)), 0.7, 5, lattice="D3Q19")
    np.testing.assert_array_equal(moved.rho, np.roll(here.rho, (5, 7, 4), (0, 1, 2)))


def test_walls_come_before_open_faces_and_those_before_mirrors():
    """At an edge one face decides: next to a no-slip wall an inlet lets nothing in along diagonals."""
    shape, velocity = (6, 7), 0.05
    inlet = {"kind": "velocity", "velocity": velocity}
    gained = {}
    for sides in ("no-slip", "free-slip"):
        flow = simulate(*rest(shape), 1.0, 1, boundaries={"x_low": inlet, "x_high": "no-slip", "y": sides})
        gained[sides] = flow.rho[0, 0] - 1
    assert gained["free-slip"] == pytest.approx(velocity, rel=1e-12)
    assert gained["no-slip"] == pytest.approx(velocity * 5 / 6, rel=1e-12)
