"""Numbers of the liquid as it is: what they are at short times, what they predict, and what has no motion."""

from __future__ import annotations

import numpy as np
import pytest

import mdgen
from dtrain.data import thermal
from dtrain.data.thermal import EARLY, N_PAIRED, N_THERMAL, TIMES, _mean_length, kept_numbers, thermal_numbers
from dtrain.metrics import pearson
from mdgen.initial import melt
from tests.liquid import small_liquid

LAW = ("kob-andersen", None)


@pytest.fixture(scope="module")
def liquid():
    """Position, species and box of a liquid in equilibrium, about."""
    return small_liquid(1.5)


@pytest.fixture(scope="module")
def found(liquid):
    return thermal_numbers(*liquid, *LAW)


def told(liquid):
    """Frequency and temperature of a configuration, by its forces and stiffness."""
    force, stiffness = mdgen.evaluate(*liquid).force, mdgen.mechanics(*liquid).stiffness
    stiff = np.trace(stiffness, axis1=1, axis2=2).mean() / 3
    return stiff**0.5, np.square(force).mean() / stiff


def test_the_forces_tell_the_temperature(liquid):
    """Half of the energy that was given to the minimum is potential energy now."""
    assert told(liquid)[1] == pytest.approx(0.75, rel=0.15)


def test_motion_begins_with_the_force(liquid, found):
    frequency, force = told(liquid)[0], mdgen.evaluate(*liquid).force
    size = np.linalg.norm(force, axis=1)
    np.testing.assert_allclose(found[:, 0], size * (EARLY[0] / frequency) ** 2 / 2, rtol=0.03)
    np.testing.assert_allclose(found[:, -4], size, rtol=1e-12)


def test_displacements_are_those_of_trajectories_from_rest_and_along_the_forces(liquid, found):
    """Each by one run of `propagate`, whose steps have another length."""
    position, species, box = liquid
    frequency, temperature = told(liquid)
    force = mdgen.evaluate(*liquid).force
    velocity = force * np.sqrt(temperature / np.square(force).mean())
    place = 12
    dt = TIMES[place] / frequency / 100
    ends = [mdgen.propagate(position, v, species, box, dt, 100)[0] for v in (0 * force, velocity, -velocity)]
    lengths = [np.linalg.norm(end - position, axis=1) for end in ends]
    np.testing.assert_allclose(found[:, place], lengths[0], atol=5e-3)
    paired = len(TIMES) + len(EARLY) + place - (len(TIMES) - N_PAIRED)
    np.testing.assert_allclose(found[:, paired], (lengths[1] + lengths[2]) / 2, atol=1e-2)


def test_expected_lengths_are_nearly_the_propensity(liquid, found):
    frequency, temperature = told(liquid)
    for k, least in ((2, 0.8), (6, 0.8)):
        propensity = mdgen.isoconfigurational(*liquid, temperature, [EARLY[k] / frequency], n_replicas=256, seed=3)[0]
        expected = found[:, len(TIMES) + k]
        assert expected.mean() == pytest.approx(propensity.mean(), rel=0.1)
        assert pearson(expected, propensity) > max(least, pearson(found[:, k], propensity))


def test_the_mean_length_of_a_gaussian_vector():
    sharp, spread = np.array([[3.0, 4.0, 0.0]]), np.array([[0.3, 0.3, 0.3]])
    assert _mean_length(sharp, 0 * spread) == pytest.approx(5.0)
    assert _mean_length(sharp, spread) == pytest.approx(5.0 + 0.09 / 5, abs=1e-3)
    assert _mean_length(0 * sharp, spread) == pytest.approx(0.3 * np.sqrt(8 / np.pi), rel=0.02)


def test_turned_and_mirrored_liquids_have_the_same_numbers(liquid, found):
    position, species, box = liquid
    turned = (position + np.array([0.3, 0.7, 0.1]))[:, [2, 0, 1]] * [-1, 1, -1]
    again = thermal_numbers(turned, species, box[[2, 0, 1]], *LAW)
    np.testing.assert_allclose(again, found, atol=1e-4 * found.std(axis=0).max())


def test_particles_that_nothing_holds_do_not_move():
    far = thermal_numbers(np.array([[1.0, 1, 1], [6.0, 6, 6]]), np.array([0, 1]), np.full(3, 10.0), *LAW)
    np.testing.assert_array_equal(far, np.zeros((2, N_THERMAL)))


def test_particles_that_are_very_near_are_followed_in_shorter_steps():
    random, law = np.random.default_rng(5), ("weeks-chandler-andersen", None)
    start = melt(100, [0.8, 0.2], 1.0, seed=1, sample=0)
    position, species = start.position + 0.1 * random.standard_normal((100, 3)), start.species.astype(int)
    found = thermal_numbers(position, species, start.box, *law)
    assert np.isfinite(found).all() and (found[:, : len(TIMES)].std(axis=0) > 0).all()
    heap = thermal_numbers(random.uniform(0, 4, (100, 3)), species, np.full(3, 4.0), *law)
    assert np.isfinite(heap).all() and not heap[:, : len(TIMES)].any()


def test_numbers_of_a_configuration_are_made_once_while_there_is_room(liquid, found, monkeypatch):
    """Another position, species, box, potential or parameter is another configuration."""
    calls = []

    def note(*given):
        calls.append(given)
        return found.copy()

    monkeypatch.setattr(thermal, "thermal_numbers", note)
    monkeypatch.setattr(thermal, "_kept", {})
    position, species, box = liquid
    same = [kept_numbers(*(array.copy() for array in liquid), *LAW) for _ in range(3)]
    assert len(calls) == 1 and all(one is same[0] for one in same) and not same[0].flags.writeable
    others = [
        ((position + 1e-9, species, box), LAW),
        ((position, 1 - species, box), LAW),
        ((position, species, box * 1.001), LAW),
        (liquid, ("weeks-chandler-andersen", None)),
        (liquid, ("kob-andersen", {"epsilon": 1.1})),
    ]
    for number, (configuration, law) in enumerate(others):
        kept_numbers(*configuration, *law)
        assert len(calls) == number + 2
    monkeypatch.setattr(thermal, "KEPT", 6 * found.nbytes)
    for _ in range(2):
        kept_numbers(position + 1e-3, species, box, *LAW)
    kept_numbers(*liquid, *LAW)
    assert len(calls) == 8
