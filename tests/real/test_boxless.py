"""Files without a box: the density must be one that the particles were at, to what their number can tell."""

from __future__ import annotations

import numpy as np
import pytest

import mdgen
from mdgen.formats.box_fit import MOST, BoxFit
from mdgen.initial import Configuration, melt
from runkit.errors import UserError
from tests.real.dialects import POSITION

DENSITY = 1.2


def glass(n_particles: int, seed: int) -> Configuration:
    """An amorphous solid: the minimum of energy next to random sites."""
    start = melt(n_particles, (0.8, 0.2), DENSITY, seed, 0)
    position = np.mod(mdgen.inherent_position(start.position, start.species, start.box), start.box)
    return Configuration.of("glass", position, start.species, start.box)


@pytest.fixture(scope="module", params=[160, 400, 1000])
def solid(request) -> Configuration:
    return glass(request.param, seed=request.param)


def read(path, start: Configuration, density: float, position=None) -> Configuration:
    position = start.position if position is None else position
    np.savetxt(path, np.c_[start.species + 1, position], "%d %.9f %.9f %.9f", header=f"{len(position)}\n", comments="")
    (found,) = mdgen.read(path, density=density)
    return found


# What an edge may be off, by the number of particles; the density is off by three times that.
RESOLUTION = {160: 0.03, 400: 0.02, 1000: 0.01}


def test_the_density_of_the_file_is_taken(solid, tmp_path):
    found = read(tmp_path / "a.xyz", solid, DENSITY)
    np.testing.assert_allclose(found.box, solid.box)
    np.testing.assert_allclose(found.position, solid.position, atol=1e-8)


@pytest.mark.parametrize("way", [-1, 1])
def test_another_density_is_refused_and_the_right_one_is_named(solid, tmp_path, way):
    """Also where the slab that is left at the faces is no wider than others within: few particles leave wide ones."""
    n_particles = len(solid.species)
    wrong = DENSITY * (1 + way * RESOLUTION[n_particles]) ** -3
    with pytest.raises(UserError, match=r"do not fit it: give the right system\.density, about ") as refusal:
        read(tmp_path / "a.xyz", solid, wrong)
    named = float(str(refusal.value).split("about ")[1].split(",")[0])
    assert named == pytest.approx(DENSITY, rel=2 * RESOLUTION[n_particles])


@pytest.mark.parametrize("factor", [0.001, 0.1])
def test_a_density_that_is_far_too_low_is_refused_and_the_right_one_is_named(solid, tmp_path, factor):
    with pytest.raises(UserError, match=r"do not fit it: give the right system\.density, about 1\.[12]"):
        read(tmp_path / "a.xyz", solid, factor * DENSITY)


def test_particles_that_stick_out_of_the_box_are_wrapped(solid, tmp_path):
    """Programs wrap them now and then; meanwhile they are up to half a skin outside."""
    outside = (solid.position < 0.15) & np.random.default_rng(3).integers(0, 2, solid.position.shape).astype(bool)
    position = solid.position + solid.box * outside
    assert np.ptp(position, axis=0).max() > solid.box[0]
    found = read(tmp_path / "a.xyz", solid, DENSITY, position)
    np.testing.assert_allclose(found.position, solid.position, atol=1e-8)


def test_particles_that_a_format_has_wrapped_do_not_stick_out(solid, tmp_path):
    """Published .npz hold none that do."""
    edge = float(np.ptp(solid.position, axis=0).max()) * 0.999
    scale = (len(solid.species) / 1.2) ** (1 / 3) / edge
    np.savez(tmp_path / "a.npz", types=solid.species, initial_positions=solid.position * scale)
    with pytest.raises(UserError, match="do not fit it"):
        mdgen.read(tmp_path / "a.npz")


def test_particles_of_another_box_altogether_are_refused(solid, tmp_path):
    """Unwrapped ones, that have gone far; a cluster with nothing around it."""
    far = solid.position + solid.box * np.random.default_rng(1).integers(-2, 3, solid.position.shape)
    for position, density in ((far, DENSITY), (solid.position, DENSITY / 8)):
        with pytest.raises(UserError, match="do not fit it"):
            read(tmp_path / "a.xyz", solid, density, position)


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.1])
def test_crystals_and_gases_fit_their_own_box(spread):
    """What has no cross-section like another, and what has all of them alike."""
    corner = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    site = (corner + np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])).reshape(-1, 3) * 1.5
    random = np.random.default_rng(2)
    crystal = np.mod(site + random.normal(0, spread, site.shape), 6.0)
    assert abs(BoxFit(crystal, 6.0).misfit(6.0)) < MOST
    assert abs(BoxFit(random.uniform(0, 6, (200, 3)), 6.0).misfit(6.0)) < MOST


def test_a_handful_of_particles_cannot_tell_and_is_refused(tmp_path):
    few = Configuration.of("few", POSITION[:5], np.zeros(5, int), [3.0] * 3)
    with pytest.raises(UserError, match="5 are too few to tell"):
        read(tmp_path / "a.xyz", few, 5 / 27)
