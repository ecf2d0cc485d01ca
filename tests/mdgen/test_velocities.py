"""The Maxwell draw of a replica."""

import numpy as np
import pytest
from scipy import stats

from mdgen.velocities import maxwell_velocities


def test_velocities_are_a_function_of_seed_sample_and_replica_alone():
    draw = maxwell_velocities(50, 0.44, 7, 3, 5)
    np.testing.assert_array_equal(draw, maxwell_velocities(50, 0.44, 7, 3, 5))
    for other in ((8, 3, 5), (7, 4, 5), (7, 3, 6)):
        assert np.abs(draw - maxwell_velocities(50, 0.44, *other)).max() > 0.1


def test_total_momentum_is_zero():
    assert np.abs(maxwell_velocities(1000, 2.0, 1, 0, 0).sum(axis=0)).max() < 1e-11


def test_each_component_is_normal_with_variance_temperature():
    velocity = maxwell_velocities(20000, 0.44, 1, 0, 0)
    assert stats.kstest(velocity.ravel() / np.sqrt(0.44), "norm").pvalue > 0.01


def test_kinetic_energy_is_not_rescaled_but_fluctuates_as_it_should():
    """2 K / T follows chi-square with 3 n - 3 degrees of freedom."""
    n_particles, temperature = 20, 0.5
    twice = [(maxwell_velocities(n_particles, temperature, 1, 0, replica) ** 2).sum() for replica in range(2000)]
    assert stats.kstest(np.array(twice) / temperature, "chi2", args=(3 * n_particles - 3,)).pvalue > 0.01


def test_replicas_are_uncorrelated():
    draws = np.array([maxwell_velocities(2000, 1.0, 1, 0, replica).ravel() for replica in range(5)])
    off_diagonal = np.corrcoef(draws)[np.triu_indices(5, 1)]
    assert np.abs(off_diagonal).max() == pytest.approx(0, abs=4 / np.sqrt(6000))
