"""Thermostats over the registry, on an ideal gas: kinetic energies alone, no forces."""

import numpy as np
import pytest

from mdgen.thermostats import thermostat
from mdgen.thermostats.random_state import jumped, pack, unpack
from runkit.rng import stream

DT, DOF, TEMPERATURE = 0.005, 30, 0.7


def make(name, n_replicas, relaxation_time=0.1, seed=1):
    streams = [stream(seed, "test", replica) for replica in range(n_replicas)]
    return thermostat.get(name)(TEMPERATURE, relaxation_time, DT, DOF, streams)


def run(coupling, kinetic_energy, n_steps):
    for number in coupling.draw(n_steps):
        for formula in filter(None, (coupling.before, coupling.after)):
            factor, value = formula(kinetic_energy, coupling.value, number, coupling.constants)
            coupling.value, kinetic_energy = np.array(value), kinetic_energy * factor**2
    return kinetic_energy


@pytest.fixture(params=thermostat.names())
def name(request):
    return request.param


def test_a_run_in_two_parts_is_the_run_in_one(name):
    """state() and restore() lose no bit."""
    whole = run(make(name, 3), np.full(3, 5.0), 40)
    first = make(name, 3)
    half = run(first, np.full(3, 5.0), 20)
    second = make(name, 3, seed=99)
    second.restore(first.state())
    np.testing.assert_array_equal(run(second, half, 20), whole)


def test_the_state_of_one_replica_is_one_row(name):
    """A checkpoint keeps replicas apart: a thermostat restored from the rows of one goes on as that one."""
    couplings, start = make(name, 3), np.array([3.0, 10.0, 30.0])
    middle = run(couplings, start, 10)
    alone = make(name, 1, seed=99)
    alone.restore({key: values[1:2] for key, values in couplings.state().items()})
    np.testing.assert_array_equal(run(alone, middle[1:2], 10), run(couplings, middle, 10)[1:2])


def test_a_replica_does_not_notice_the_others(name):
    """A thermostat of many replicas gives each the bits that it would have alone: no shared chain, no shared number."""
    start = np.array([3.0, 10.0, 30.0])
    together = run(make(name, 3), start, 50)
    for replica in range(3):
        alone = thermostat.get(name)(TEMPERATURE, 0.1, DT, DOF, [stream(1, "test", replica)])
        assert run(alone, start[replica : replica + 1], 50)[0] == together[replica]


def test_random_numbers_do_not_depend_on_portions(name):
    """Drawn at once, or in portions, one by one and none among them: the same bits."""
    whole, parts = make(name, 3).draw(200), make(name, 3)
    in_parts = [parts.draw(n) for n in (128, 1, 0, *[1] * 10, 61)]
    assert whole.shape == (200, whole.shape[1], 3)
    np.testing.assert_array_equal(whole, np.concatenate(in_parts))


def test_kinetic_energy_and_thermostat_energy_together_are_conserved(name):
    """Without forces the thermostat gives and takes kinetic energy only."""
    coupling, start = make(name, 2), np.array([4.0, 20.0])
    total = start + coupling.energy
    np.testing.assert_allclose(run(coupling, start, 400) + coupling.energy, total, rtol=1e-4)


def test_a_new_temperature_is_followed(name):
    coupling = make(name, 64, relaxation_time=0.05)
    energy = run(coupling, np.full(64, DOF * TEMPERATURE / 2), 500)
    coupling.temperature = 3 * TEMPERATURE
    mean = np.mean([(energy := run(coupling, energy, 20)).mean() for _ in range(100)])
    assert mean == pytest.approx(DOF * 3 * TEMPERATURE / 2, rel=0.05)


def test_bussi_relaxes_exponentially_to_the_canonical_mean():
    """Mean K decays with exp(-t / relaxation_time), the property that the method is built on."""
    coupling = make("bussi", 4000, relaxation_time=0.1)
    start, target = 40.0, DOF * TEMPERATURE / 2
    after = run(coupling, np.full(4000, start), 20).mean()
    expected = target + (start - target) * np.exp(-20 * DT / 0.1)
    assert after == pytest.approx(expected, abs=4 * np.sqrt(target * TEMPERATURE / 4000) * 2)


def test_bussi_at_equilibrium_draws_the_gamma_distribution():
    from scipy import stats

    energy = run(make("bussi", 2000, relaxation_time=0.01), np.full(2000, 10.0), 20)
    assert stats.kstest(energy / TEMPERATURE, "gamma", args=(DOF / 2,)).pvalue > 0.01


def test_bussi_draws_normal_and_chi_square_numbers_that_know_nothing_of_each_other():
    """Both distributions, and no correlation between the two kinds, between steps or between replicas."""
    from scipy import stats

    normal, others = (make("bussi", 2).draw(20000)[:, kind].T for kind in (0, 1))
    for replica in range(2):
        assert stats.kstest(normal[replica], "norm").pvalue > 0.01
        assert stats.kstest(others[replica], "chi2", args=(DOF - 1,)).pvalue > 0.01
    rows = [normal[0], normal[1], others[0], others[1], np.roll(normal[0], 1), np.roll(others[0], 1)]
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert np.abs(correlation).max() < 4 / np.sqrt(20000)


def test_bussi_with_one_degree_of_freedom_has_no_others():
    coupling = thermostat.get("bussi")(TEMPERATURE, 0.1, DT, 1, [stream(1, "test")])
    assert not coupling.draw(5)[:, 1].any()


def test_nose_hoover_conserves_its_extended_energy_to_fourth_order():
    """Halving the step divides the drift of the splitting by about 2^4; 2^3 at least."""

    def error(dt):
        coupling = make("nose-hoover", 1)
        coupling.dt = dt
        start = np.array([14.0])
        total = start + coupling.energy
        return abs(run(coupling, start, round(0.4 / dt)) + coupling.energy - total)[0]

    assert error(0.02) > 8 * error(0.01)


def test_packed_streams_go_on_where_they_stood():
    streams = [stream(1, "a"), stream(1, "b")]
    streams[0].standard_normal(7)
    streams[1].integers(0, 10, dtype=np.uint32)
    copies = unpack(pack(streams))
    for original, copy in zip(streams, copies, strict=True):
        np.testing.assert_array_equal(original.standard_normal(9), copy.standard_normal(9))


def test_a_second_stream_is_the_same_for_whoever_makes_it_and_never_meets_the_first():
    first, again = stream(1, "a"), stream(1, "a")
    numbers = [jumped(one).standard_normal(9) for one in (first, again)]
    np.testing.assert_array_equal(*numbers)
    own = first.standard_normal(9)
    np.testing.assert_array_equal(own, stream(1, "a").standard_normal(9))
    assert not set(own) & set(numbers[0])
    with pytest.raises(TypeError, match="Philox"):
        jumped(np.random.default_rng(1))
