"""Labels and averages against what is known in closed form."""

import numpy as np
import pytest

from mdgen.initial import Configuration, melt
from mdgen.observables import (
    bond_change,
    displacement,
    distance,
    neighbour_pairs,
    reliability,
    sample_labels,
    self_scattering,
    standard_error,
)
from runkit.dataset.contracts.isoconfig import ISOCONFIG


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_neighbour_pairs_are_those_of_all_pairs(random):
    """Lexicographic, i < j, minimum image, in a box of three different edges."""
    box = np.array([5.0, 6.0, 7.0])
    position = random.random((200, 3)) * box
    i, j = np.triu_indices(200, 1)
    vector = position[j] - position[i]
    near = np.linalg.norm(vector - np.round(vector / box) * box, axis=1) < 2.0
    np.testing.assert_array_equal(neighbour_pairs(position, box, 2.0), np.column_stack([i, j])[near])


def test_a_pair_across_the_wall_is_as_far_as_its_nearest_image():
    position = np.array([[0.1, 0, 0], [5.9, 0, 0], [3.0, 0, 0]])
    found = distance(position, np.array([[0, 1], [0, 2]]), np.full(3, 6.0))
    np.testing.assert_allclose(found, [0.2, 2.9], rtol=1e-14)


def test_a_translation_moves_particles_and_changes_no_bond():
    """The motion of the centre of mass is kept in the propensity and absent from bonds."""
    start = melt(150, (0.8, 0.2), 1.2, seed=1, sample=0)
    moved = start.position + np.array([30.0, -20.0, 10.0])
    bond = neighbour_pairs(start.position, start.box, 2.0)
    np.testing.assert_allclose(displacement(moved[None], start.position), np.sqrt(1400.0), rtol=1e-14)
    assert np.abs(bond_change(moved[None], start, bond)).max() < 1e-12


def test_bond_change_is_the_change_of_distance_and_not_the_length_of_the_change():
    start = Configuration.of("pair", [[1.0, 0, 0], [2.0, 0, 0]], [0, 0], np.full(3, 10.0))
    bond = neighbour_pairs(start.position, start.box, 2.0)
    turned, stretched = [[1.0, 0, 0], [1.0, 1.0, 0]], [[1.0, 0, 0], [2.5, 0, 0]]
    np.testing.assert_allclose(bond_change(np.array([turned, stretched]), start, bond), [[0.0], [0.5]], atol=1e-14)


def test_standard_error_is_that_of_the_mean(random):
    values = random.standard_normal((400, 500))
    assert standard_error(values).mean() == pytest.approx(1 / 20, rel=0.01)
    assert np.isnan(standard_error(values[:1])).all()


@pytest.mark.parametrize("n_replicas", [8, 32])
@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_reliability_is_the_share_of_variance_that_is_not_noise(n_replicas, noise, random):
    """Truth of variance 1 plus replica noise of variance s²: the reliability of n replicas is 1 / (1 + s²/n)."""
    truth = random.standard_normal(20000)
    values = truth + noise * random.standard_normal((n_replicas, 20000))
    assert reliability(values) == pytest.approx(1 / (1 + noise**2 / n_replicas), abs=0.01)


def test_a_perfect_prediction_correlates_with_labels_as_the_root_of_their_reliability(random):
    truth = random.standard_normal(20000)
    values = truth + 4 * random.standard_normal((16, 20000))
    assert np.corrcoef(truth, values.mean(axis=0))[0, 1] == pytest.approx(np.sqrt(reliability(values)), abs=0.01)


def test_labels_that_are_only_noise_have_no_reliability(random):
    assert abs(reliability(random.standard_normal((32, 20000)))) < 0.05


def test_reliability_is_undefined_where_nothing_varies():
    assert np.isnan(reliability(np.ones((8, 100)))) and np.isnan(reliability(np.ones((8, 2))))


def test_self_scattering_of_gaussian_steps_is_gaussian(random):
    """<sin(q r) / (q r)> = exp(-q² s² / 2) for displacements of variance s² per component."""
    steps = np.linalg.norm(0.15 * random.standard_normal((200000, 3)), axis=1)
    assert self_scattering(steps, 7.25).mean() == pytest.approx(np.exp(-((7.25 * 0.15) ** 2) / 2), abs=0.005)
    assert self_scattering(np.zeros(1), 7.25) == 1


@pytest.fixture
def labels(random):
    start = melt(300, (0.8, 0.2), 1.2, seed=1, sample=0)
    steps = np.array([0.05, 0.2])[:, None, None, None] * random.standard_normal((2, 200, 300, 3))
    return start, sample_labels(iter(start.position + steps), start, n_species=3)


def test_labels_have_the_names_and_shapes_of_the_file(labels):
    _, found = labels
    sizes = {"time": 2, "particle": 300, "species": 3, "bond": len(found["bond"])}
    stage = [field for field in ISOCONFIG.fields if field.stage == "labelled" and field.name != "n_bonds"]
    assert {field.name for field in stage} == set(found)
    for field in stage:
        assert found[field.name].shape == tuple(int(d) if d.isdigit() else sizes[d] for d in field.dims[1:])


def test_averages_of_gaussian_steps_are_the_known_ones(labels):
    """Mean |dr| = s sqrt(8 / pi), mean dr² = 3 s²; a species without particles has none."""
    _, found = labels
    for row, s in enumerate((0.05, 0.2)):
        assert found["propensity"][row].mean() == pytest.approx(s * np.sqrt(8 / np.pi), rel=0.01)
        np.testing.assert_allclose(found["mean_squared_displacement"][row, :2], 3 * s**2, rtol=0.02)
    np.testing.assert_allclose(found["overlap"][0, :2], 1, atol=1e-3)
    for name in ("mean_squared_displacement", "overlap", "self_scattering"):
        assert np.isnan(found[name][:, 2]).all()
