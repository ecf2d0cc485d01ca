"""Starting configurations."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from mdgen.initial import Configuration, counts, melt, wrap
from mdgen.potentials import potential
from runkit.errors import UserError


def test_published_composition_gives_3277_and_819():
    np.testing.assert_array_equal(counts(4096, (0.8, 0.2)), [3277, 819])


@pytest.mark.parametrize("composition", [(1.0,), (0.5, 0.5), (1 / 3, 1 / 3, 1 / 3), (0.7, 0.2, 0.1)])
def test_counts_sum_to_the_number_of_particles(composition):
    for n_particles in (2, 7, 100, 1001):
        number = counts(n_particles, composition)
        assert number.sum() == n_particles
        assert np.abs(number - n_particles * np.array(composition)).max() < 1


@pytest.mark.parametrize("n_particles", [150, 256, 500, 1024])
def test_a_melt_fills_the_box_without_overlap(n_particles):
    start = melt(n_particles, (0.8, 0.2), 1.2, seed=1, sample=0)
    assert np.prod(start.box) == pytest.approx(n_particles / 1.2)
    assert np.all((start.position >= 0) & (start.position < start.box))
    nearest = cKDTree(start.position, boxsize=start.box).query(start.position, k=2)[0][:, 1]
    assert nearest.min() > 0.75


def test_a_melt_is_a_function_of_seed_and_sample():
    first = melt(200, (0.8, 0.2), 1.2, seed=1, sample=3)
    np.testing.assert_array_equal(first.position, melt(200, (0.8, 0.2), 1.2, seed=1, sample=3).position)
    assert not np.array_equal(first.position, melt(200, (0.8, 0.2), 1.2, seed=1, sample=4).position)
    assert not np.array_equal(first.position, melt(200, (0.8, 0.2), 1.2, seed=2, sample=3).position)


def test_wrapped_positions_lie_in_the_half_open_box():
    """Also a tiny negative number, which a plain modulo sends to the edge itself."""
    box = np.array([3.0, 5.0, 7.0])
    position = np.array([[-1e-18, 5.0, -0.5], [2.9, 12.0, 100.0]])
    wrapped = wrap(position, box)
    assert np.all((wrapped >= 0) & (wrapped < box))
    shift = (wrapped - position) / box
    np.testing.assert_allclose(shift, np.round(shift), atol=1e-12)


def test_a_position_inside_keeps_its_bits():
    position = np.random.default_rng(1).random((100, 3)) * 7.3
    np.testing.assert_array_equal(wrap(position, np.full(3, 7.3)), position)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"position": np.full((4, 3), np.nan)}, "here: position of particle 0"),
        ({"position": np.zeros((4, 2))}, "here: positions"),
        ({"species": np.zeros(3, int)}, "here: positions"),
        ({"species": np.array([0, 0, -1, 0])}, "here: species"),
        ({"species": np.array([0.0, 0.5, 0, 0])}, "here: species"),
        ({"box": np.array([6.0, 0.0, 6.0])}, "here: box"),
        ({"box": np.array([6.0, 6.0])}, "here: box"),
    ],
)
def test_what_is_not_a_configuration_is_refused_with_its_source(change, complaint):
    sound = {"position": np.zeros((4, 3)), "species": np.zeros(4, int), "box": np.full(3, 6.0)}
    Configuration.of("here", **sound)
    with pytest.raises(UserError, match=complaint):
        Configuration.of("here", **(sound | change))


def test_a_box_below_twice_the_cutoff_is_refused():
    law = potential.build("kob-andersen")
    small = Configuration.of("file.npz", np.zeros((2, 3)), np.zeros(2, int), [6.0, 4.99, 6.0])
    with pytest.raises(UserError, match=r"file.npz: box edge 4.99 .* at least 5"):
        small.require(law)
    Configuration.of("file.npz", np.zeros((2, 3)), np.zeros(2, int), [6.0, 5.0, 6.0]).require(law)


def test_a_species_that_the_potential_lacks_is_refused():
    start = Configuration.of("file.npz", np.zeros((2, 3)), np.array([0, 1]), np.full(3, 6.0))
    with pytest.raises(UserError, match="species 1 is there"):
        start.require(potential.build("lennard-jones"))
