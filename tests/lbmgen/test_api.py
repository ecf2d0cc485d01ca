"""The public function against the same method as textbooks write it, and against bad input."""

import numpy as np
import pytest

from lbmgen import simulate
from lbmgen.collisions import collision
from runkit.errors import UserError
from tests.lbmgen.textbook import Textbook

SHAPES = {"D2Q9": (13, 21), "D3Q19": (6, 5, 11), "D3Q27": (5, 6, 9)}


def noise(lattice, seed=1):
    """A random state with random solid sites."""
    random, shape = np.random.default_rng(seed), SHAPES[lattice]
    rho = 1 + 0.01 * random.standard_normal(shape)
    return rho, 0.03 * random.standard_normal((*shape, len(shape))), random.random(shape) < 0.15


@pytest.mark.parametrize("force", [None, (1e-3, 2e-4, -3e-4)])
@pytest.mark.parametrize("law", collision.names())
@pytest.mark.parametrize("lattice", SHAPES)
def test_a_flow_is_that_of_the_textbook(lattice, law, force):
    """Density, velocity and force on solid sites after an odd and an even number of steps, to rounding."""
    rho, u, solid = noise(lattice)
    force = force and force[: rho.ndim]
    for n_steps, body in ((1, None), (4, solid), (5, solid)):
        found = simulate(rho, u, 0.7, n_steps, lattice=lattice, collision=law, solid=body, force=force)
        expected = Textbook(lattice, law, 0.7, force, body).run(rho, u, n_steps)
        for ours, theirs in zip((found.rho, found.u, found.body_force), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (2, 17)])
def test_a_domain_may_be_as_thin_as_a_site(shape):
    """Periodic along axes of one or two sites, whose neighbours are themselves."""
    random = np.random.default_rng(2)
    rho, u = 1 + 0.01 * random.standard_normal(shape), 0.03 * random.standard_normal((*shape, 2))
    for n_steps in (1, 2, 5):
        found, expected = simulate(rho, u, 0.8, n_steps), Textbook("D2Q9", "bgk", 0.8).run(rho, u, n_steps)
        np.testing.assert_allclose(found.u, expected[1], rtol=0, atol=1e-14)
        np.testing.assert_allclose(found.rho, expected[0], rtol=0, atol=1e-13)


def test_single_precision_follows_double_precision():
    rho, u, solid = noise("D2Q9")
    single, double = (simulate(rho, u, 0.8, 50, solid=solid, dtype=dtype) for dtype in ("float32", "float64"))
    assert 1e-9 < np.abs(single.u - double.u).max() < 1e-6
    assert np.abs(single.rho - double.rho).max() < 1e-6


def test_no_step_gives_back_what_was_given():
    rho, u, solid = noise("D2Q9")
    found = simulate(rho, u, 0.8, 0, solid=solid)
    np.testing.assert_allclose(found.rho[~solid], rho[~solid], rtol=1e-15)
    np.testing.assert_allclose(found.u[~solid], u[~solid], rtol=0, atol=1e-16)
    assert found.body_force.shape == (0, 2)


def test_the_inside_of_a_body_stays_at_rest_however_long_a_force_acts():
    """What is not fluid is never looked at: rho = 1, u = 0, even where the force has had no wall to lean on."""
    solid = np.zeros((24, 24), bool)
    solid[4:20, 4:20] = True
    found = simulate(np.ones((24, 24)), np.zeros((24, 24, 2)), 0.6, 3000, solid=solid, force=(1e-3, 0))
    assert (found.rho[solid] == 1).all() and (found.u[solid] == 0).all()
    assert np.isfinite(found.rho).all() and np.isfinite(found.u).all()


def test_an_sdf_that_cuts_links_in_half_is_a_half_way_wall():
    """Distances of equal size on both sides of the surface: interpolation has nothing to correct."""
    rho, u, _ = noise("D2Q9")
    solid = np.zeros(rho.shape, bool)
    solid[5:9, 8:13] = True
    half_way = simulate(rho, u, 0.8, 6, solid=solid)
    interpolated = simulate(rho, u, 0.8, 6, sdf=np.where(solid, -0.5, 0.5))
    np.testing.assert_allclose(interpolated.u, half_way.u, rtol=0, atol=1e-15)
    np.testing.assert_allclose(interpolated.body_force, half_way.body_force, rtol=0, atol=1e-13)


FINE = {"rho": np.ones((8, 9)), "u": np.zeros((8, 9, 2)), "tau": 0.8, "n_steps": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tau": 0.5}, "tau = 0.5"),
        ({"tau": float("nan")}, "tau = nan"),
        ({"tau": "slow"}, "tau = slow"),
        ({"u": [["fast"]]}, "rho, u: arrays of numbers"),
        ({"force": "down"}, "force = down"),
        ({"n_steps": -1}, "n_steps = -1"),
        ({"n_steps": 1.5}, "n_steps = 1.5"),
        ({"rho": np.ones(8)}, "rho: an array of 2 dimensions"),
        ({"rho": np.zeros((8, 9))}, "positive density"),
        ({"u": np.zeros((8, 9))}, "u: shape (8, 9, 2)"),
        ({"u": np.full((8, 9, 2), np.inf)}, "finite"),
        ({"lattice": "D2Q8"}, "D2Q9"),
        ({"collision": "trtt"}, "'trt'"),
        ({"collision": {"name": "trt", "magic": -1}}, "magic = -1"),
        ({"collision": {"name": "bgk", "magic": 1}}, "magic"),
        ({"force": (1, 2, 3)}, "force"),
        ({"force": (np.inf, 0)}, "force"),
        ({"dtype": "int32"}, "dtype = 'int32'"),
        ({"dtype": "float23"}, "dtype = 'float23'"),
        ({"solid": np.zeros((9, 8), bool)}, "solid: shape (8, 9)"),
        ({"sdf": np.zeros((9, 8))}, "sdf: shape (8, 9)"),
        ({"sdf": np.full((8, 9), np.nan)}, "sdf"),
        ({"solid": np.zeros((8, 9), bool), "sdf": np.ones((8, 9))}, "one of the two"),
        ({"boundaries": "slippery"}, "slippery"),
        ({"boundaries": {"w": "no-slip"}}, "unknown face 'w'"),
        ({"boundaries": {"x_low": "no-slip"}}, "both faces of axis x"),
        ({"boundaries": {"y": {"kind": "no-slip", "velocity": [0.1]}}}, "velocity = [0.1]"),
        ({"boundaries": {"y": {"kind": "no-slip", "velocity": [0.0, 0.1]}}}, "velocity"),
        ({"boundaries": {"y": {"kind": "velocity", "velocity": "fast"}}}, "velocity"),
        ({"boundaries": {"y": {"kind": "velocity", "profile": "square"}}}, "profile = 'square'"),
        ({"boundaries": {"y": {"kind": "convective", "speed": 0.0}}}, "speed = 0"),
        ({"boundaries": {"y": {"kind": "pressure", "density": -1.0}}}, "density = -1"),
    ],
)
def test_bad_input_is_one_line_that_names_it(change, words):
    with pytest.raises(UserError) as caught:
        simulate(**(FINE | change))
    assert words in str(caught.value) and "\n" not in str(caught.value)
