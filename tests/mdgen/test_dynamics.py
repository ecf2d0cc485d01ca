"""Trajectories: exact, reproducible, conservative, and safe when one of them goes wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mdgen import cpu_engine
from mdgen.dynamics import Dynamics, warm_up
from mdgen.neighbors import spatial_order
from mdgen.potentials.pair import PairPotential
from runkit.errors import UserError
from tests.mdgen.liquid import all_pairs, kob_andersen, lennard_jones, replicas


def start(n_replicas, which=slice(None), precision="float32", **more):
    position, velocity, species, box = replicas(n_replicas)
    more.setdefault("potential", kob_andersen())
    return Dynamics(position[which], velocity[which], species, box, dt=0.004, precision=precision, **more)


def same(a: Dynamics, b: Dynamics, of_b=slice(None)):
    """Whether all bits of replicas of two runs agree."""
    names = ("position", "velocity", "force", "potential_energy", "virial", "kinetic_energy")
    return all(np.array_equal(getattr(a, name), getattr(b, name)[of_b]) for name in names)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_replica_does_not_notice_its_company(precision):
    """Alone, with 7 and with 31 others, in any place among them: the same bits."""
    together = start(32, precision=precision)
    together.step(120)
    for which in ([5], [30], list(range(4, 12)), [9, 2, 31]):
        few = start(32, which, precision)
        few.step(120)
        assert same(few, together, which)


def test_steps_may_be_taken_in_any_portions():
    """20 steps at once, or 1 + 7 + 12 with new lists, another grouping and looks between: the same bits."""
    one, other = start(9), start(9)
    one.step(20)
    for n_steps in (1, 7, 12):
        other.step(n_steps)
        other.engine.regroup()
        assert np.isfinite(other.potential_energy).all()
    assert same(one, other)


def test_a_run_goes_on_from_position_and_velocity_alone():
    """Restored into a new object at the old start, the trajectory is that of an uninterrupted run."""
    one, first, second = start(3), start(3), start(3)
    one.step(50)
    first.step(23)
    second.restore(first.position, first.velocity)
    second.step(27)
    assert same(one, second)


def test_replicas_that_have_diverged_are_advanced_one_by_one_with_the_same_bits(monkeypatch):
    monkeypatch.setattr(cpu_engine, "REGROUP", 10)
    together, apart = start(8), start(8)
    monkeypatch.setattr(cpu_engine, "ALONE", 0.0)
    apart.step(40)
    monkeypatch.setattr(cpu_engine, "ALONE", 1e9)
    together.step(40)
    assert apart.statistics["entries_per_particle"] != together.statistics["entries_per_particle"]
    assert same(apart, together)


def test_unrelated_replicas_do_not_share_a_list():
    """Replicas with nothing in common are separated when grouped anew; close ones are not."""
    position, velocity, species, box = replicas(8, n_edge=8)
    close = Dynamics(position, velocity, species, box, kob_andersen(), 0.004)
    moved = [np.roll(position[0], 37 * k, axis=0) for k in range(8)]
    far = Dynamics(moved, velocity, species, box, kob_andersen(), 0.004)
    for each in (close, far):
        each.step(1)
        each.engine.regroup()
    assert [[batch.replicas for batch in each.engine.batches] for each in (close, far)] == [[True], [False] * 8]
    assert close.statistics["entries_per_particle"] < 12 < far.statistics["entries_per_particle"]


@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-3), ("float64", 1e-11)])
def test_the_order_of_summation_is_a_matter_of_rounding(precision, tolerance):
    position, _, _, box = replicas(1)
    as_given = start(2, precision=precision)
    in_space = start(2, precision=precision, order=spatial_order(position[0], box))
    for each in (as_given, in_space):
        each.step(5)
    assert np.abs(as_given.position - in_space.position).max() < tolerance
    assert np.abs(as_given.force - in_space.force).max() < 100 * tolerance


def test_velocity_verlet_is_what_is_integrated():
    """Ten steps against ten lines of NumPy."""
    position, velocity, species, box = replicas(1)
    dynamics = start(1, precision="float64")
    dynamics.step(10)
    x, v = position[0], velocity[0]
    force = all_pairs(x, species, box, kob_andersen())[1]
    for _ in range(10):
        v = v + 0.002 * force
        x = x + 0.004 * v
        force = all_pairs(x, species, box, kob_andersen())[1]
        v = v + 0.002 * force
    assert np.abs(dynamics.position[0] - x).max() < 1e-12
    assert np.abs(dynamics.velocity[0] - v).max() < 1e-11
    assert dynamics.kinetic_energy[0] == pytest.approx(0.5 * (v**2).sum(), rel=1e-12)


@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-4), ("float64", 1e-10)])
def test_time_can_be_reversed(precision, tolerance):
    dynamics = start(2, precision=precision)
    before = dynamics.position
    dynamics.step(150)
    assert np.abs(dynamics.position - before).max() > 0.1
    dynamics.restore(dynamics.position, -dynamics.velocity)
    dynamics.step(150)
    assert np.abs(dynamics.position - before).max() < tolerance


@pytest.mark.parametrize("precision, rounding", [("float32", 1e-6), ("float64", 1e-14)])
def test_momentum_and_energy_are_conserved(precision, rounding):
    """Momentum to rounding, energy per particle within what the time step of velocity Verlet lets it fluctuate."""
    dynamics = start(4, precision=precision)
    dynamics.step(100, dt=0.001)
    energy = dynamics.potential_energy + dynamics.kinetic_energy
    for _ in range(4):
        dynamics.step(250)
        drift = (dynamics.potential_energy + dynamics.kinetic_energy - energy) / dynamics.n_particles
        assert np.abs(drift).max() < 1e-3
        assert np.abs(dynamics.velocity.mean(axis=1)).max() < rounding
    assert dynamics.statistics["dangerous_builds"] == 0
    assert dynamics.statistics["n_builds"] < dynamics.statistics["n_prunes"] < 1100 / 2


def tiny() -> PairPotential:
    """A law whose lengths single precision cannot square."""
    return lennard_jones(np.ones((2, 2)), np.full((2, 2), 1e-11), np.full((2, 2), 2.5e-11))


class _Isokinetic:
    """Sets the kinetic energy of replica k to k + 1 after each step, and keeps what it finds before the next."""

    constants = ()

    def __init__(self, n_replicas):
        self.value = np.stack([np.arange(n_replicas) + 1.0, np.zeros(n_replicas)])

    def draw(self, n_steps):
        return np.empty((n_steps, 0, self.value.shape[1]))

    @staticmethod
    def before(kinetic, value, number, constant):
        return kinetic / kinetic, (value[0], kinetic)

    @staticmethod
    def after(kinetic, value, number, constant):
        return np.sqrt(value[0] / kinetic), value


def test_a_thermostat_rescales_each_replica_before_and_after_each_step():
    thermostat = _Isokinetic(10)
    dynamics = start(10, thermostat=thermostat)
    dynamics.step(2)
    assert np.allclose(dynamics.kinetic_energy, np.arange(10) + 1.0, rtol=1e-10)
    assert np.allclose(thermostat.value[1], np.arange(10) + 1.0, rtol=1e-10)


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("n_replicas, lost", [(1, 0), (11, 3), (11, 9)])
def test_a_replica_that_blows_up_is_named_and_the_others_go_on(n_replicas, lost, coupled):
    """Two particles on top of each other ruin one replica; the rest keep their bits."""
    sound = start(n_replicas, thermostat=_Isokinetic(n_replicas) if coupled else None)
    position, velocity = sound.position, sound.velocity
    position[lost, 0] = position[lost, 1] + 1e-4
    ruined = start(n_replicas, thermostat=_Isokinetic(n_replicas) if coupled else None)
    ruined.restore(position, velocity)
    for each in (sound, ruined):
        each.step(100)
    assert ruined.blown_up().tolist() == [lost] and sound.blown_up().tolist() == []
    others = np.arange(n_replicas) != lost
    assert np.array_equal(ruined.position[others], sound.position[others])
    assert np.isnan(ruined.position[lost]).all() and np.isnan(ruined.kinetic_energy[lost])
    assert np.isnan(ruined.potential_energy[lost])


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(box=[6.4, 4.9, 6.4]), "box = .*at least 5"),
        (dict(box=[6.4, 6.4, 1e19]), r"box = .*between 1e-09 and 1e\+18 with precision = float32"),
        (dict(box=[1e-10] * 3, potential=tiny()), "box = .*between 1e-09 and .*use other units, or float64"),
        (dict(species=np.full(216, 2)), "species 2 to 2: must be 0 to 1"),
        (dict(species=[0, 1]), "one for each of 216"),
        (dict(precision="float16"), "precision = 'float16'"),
        (dict(velocity=np.zeros((1, 5, 3))), "both must be"),
        (dict(position=np.full((1, 216, 3), np.nan)), "position of replica 0: not finite"),
    ],
)
def test_input_that_cannot_be_advanced_is_refused(change, message):
    position, velocity, species, box = replicas(1)
    given = dict(position=position, velocity=velocity, species=species, box=box, potential=kob_andersen(), dt=0.004)
    with pytest.raises(UserError, match=message):
        Dynamics(**(given | change))


def test_kernels_can_be_compiled_ahead():
    """After it no kernel needs compiling for either precision."""
    from mdgen.kernels import cpu

    for precision in ("float32", "float64"):
        warm_up(kob_andersen(), precision)
    kernels = [each for each in cpu.kernels_of(kob_andersen()) if hasattr(each, "signatures")]
    compiled = [len(kernel.signatures) for kernel in kernels]
    for precision in ("float32", "float64"):
        dynamics = start(9, precision=precision, thermostat=_Isokinetic(9))
        dynamics.step(20)
        assert np.all(dynamics.virial != 0)
    assert compiled == [len(kernel.signatures) for kernel in kernels]
