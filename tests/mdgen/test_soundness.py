"""What a simulation has led to is believed only where it can be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import mdgen
from mdgen import equilibration, minimize
from mdgen.config import RunConfig
from mdgen.plan import show
from mdgen.relaxation import ENOUGH, KOB_ANDERSEN, hold_in_words, relaxation_of
from mdgen.resolve import potential_of
from mdgen.run import generate
from mdgen.soundness import exploded, is_canonical
from mdgen.thermostats import thermostat
from mdgen.velocities import maxwell_velocities as draw
from runkit.dataset.check import check
from runkit.dataset.outcome import NOTHING_USABLE, PARTLY_FAILED
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.mdgen.liquid import replicas

SMALL = {"system": {"n_particles": 160}, "production": {"n_samples": 2, "n_replicas": 2, "times": (0.05,)}}


def test_energies_that_leave_their_start_are_found():
    """A tenth of the temperature is the limit; what is not a number has left."""
    assert exploded([1.04, 0.9, np.nan, np.inf], 1.0, temperature=0.5).tolist() == [False, True, True, True]


@pytest.mark.parametrize("freedom", [3, 477, 12285])
def test_kinetic_energies_are_canonical_or_not(freedom):
    """Draws from the distribution pass; a frozen system and one of another temperature do not, if it is large."""
    temperature = 0.64
    drawn = np.random.default_rng(1).chisquare(freedom, 1000) * temperature / 2
    assert is_canonical(drawn, freedom, temperature).all()
    assert not is_canonical(0.0, freedom, temperature)
    if freedom > 100:
        assert not is_canonical(freedom * temperature, freedom, temperature)


def test_a_thermostat_that_has_not_done_its_work_fails_the_sample(tmp_path, monkeypatch, capsys):
    """Here one that takes all kinetic energy away at its last call; no sample is left, and the exit code says so."""
    law = thermostat.get("bussi")
    monkeypatch.setattr(law, "constants", property(lambda self: (1e-12, 0.0)))
    initial = {"melt_time": 0.1, "cooling_time": 0.1, "hold_time": 3.0, "relaxation_time": 0.5}
    config = RunConfig(**SMALL, output=str(tmp_path / "frozen.h5"), device="cpu", initial=initial)
    assert generate(SerialWorld(), config) == NOTHING_USABLE
    with Dataset(tmp_path / "frozen.h5") as data:
        assert b"kinetic temperature" in data["failure"][0] and b"0.64" in data["failure"][0]
    assert "2 of 2 sample(s) FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("checkpoint_seconds", [0, 300])
def test_a_melt_that_blows_up_fails_and_the_others_are_made(tmp_path, monkeypatch, checkpoint_seconds):
    """It is seen after its first block, when the second one may be under way already."""
    monkeypatch.setattr(
        equilibration, "maxwell_velocities", lambda n, T, seed, *unit: draw(n, 1e9 if unit[0] else T, seed, *unit)
    )
    initial = {"melt_time": 8.0, "cooling_time": 0.1, "hold_time": 0.1}
    settings = {"output": str(tmp_path / "lost.h5"), "device": "cpu", "checkpoint_seconds": checkpoint_seconds}
    assert generate(SerialWorld(), RunConfig(**SMALL, **settings, initial=initial)) == PARTLY_FAILED
    with Dataset(tmp_path / "lost.h5") as data:
        assert [bool(text) for text in data["failure"][()]] == [False, True]
        assert data["failure"][1] == b"equilibration: positions or velocities are not finite"


def test_a_sample_without_an_energy_minimum_fails_and_the_others_go_on(tmp_path, monkeypatch):
    """A perfect lattice is one from the start, a disturbed one is not within three iterations."""
    monkeypatch.setattr(minimize, "MOST", 3)
    lattice = np.stack(np.meshgrid(*[np.arange(6.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    for name, noise in (("bad", 0.02), ("good", 0.0)):
        position = lattice + np.random.default_rng(1).normal(0, noise, lattice.shape)
        np.savez(tmp_path / f"{name}.npz", initial_positions=position, types=np.zeros(216, int), box=6.0)
    initial = {"file": [str(tmp_path / "bad.npz"), str(tmp_path / "good.npz")]}
    config = RunConfig(output=str(tmp_path / "run.h5"), device="cpu", initial=initial, production=SMALL["production"])
    assert generate(SerialWorld(), config) == PARTLY_FAILED
    with Dataset(tmp_path / "run.h5") as data:
        assert data["labelled"][()].tolist() == [FAILED, COMPLETE]
        assert data["failure"][0] == b"equilibration: no energy minimum within 3 iterations"
    assert check(tmp_path / "run.h5").good


def test_a_chain_must_be_slower_than_the_step_can_follow():
    """The least relaxation time is named; the stochastic thermostat has none, and given configurations need neither."""
    initial = {"thermostat": "nose-hoover", "relaxation_time": 0.04}
    with pytest.raises(UserError, match=r"initial.relaxation_time = 0.04; allowed .*nose-hoover.*: 0.05 or more"):
        potential_of(RunConfig(initial=initial))
    potential_of(RunConfig(initial=initial | {"relaxation_time": 0.05}))
    potential_of(RunConfig(initial=initial | {"thermostat": "bussi"}))


@pytest.mark.parametrize("function", ["propagate", "follow", "isoconfigurational"])
def test_steps_that_do_not_keep_the_energy_are_refused(function):
    """Not a number as a result would be silence."""
    position, _, species, box = replicas(1)
    arguments = {
        "propagate": (position[0], 0 * position[0], species, box, 0.2, 50),
        "follow": (position[0], 0 * position[0], species, box, [10.0], 0.2),
        "isoconfigurational": (position[0], species, box, 1.0, [10.0], 2, 1, 0.2),
    }
    with pytest.raises(UserError, match=r"dt = 0.2: energy is not conserved in \d of \d replica.*shorter steps"):
        getattr(mdgen, function)(*arguments[function])


@pytest.mark.parametrize("times", [[np.nan], [1.0, np.nan], [np.inf], [], [2.0, 1.0]])
def test_times_that_do_not_ascend_are_refused(times):
    position, _, species, box = replicas(1)
    with pytest.raises(UserError, match="times = "):
        mdgen.isoconfigurational(position[0], species, box, 1.0, times, 2, 1)


def test_a_hold_is_set_beside_the_relaxation_time(capsys):
    """Published ones are named so; a hold below tau_alpha is said to be too short, as is what would be enough."""
    for temperature, tau in KOB_ANDERSEN.items():
        config = RunConfig(system={"temperature": temperature}, initial={"hold_time": ENOUGH * tau})
        assert hold_in_words(config) == (f"hold of {ENOUGH * tau:g} = 10 tau_alpha ({tau:.3g}, published)", False)
    told, is_short = hold_in_words(RunConfig(system={"temperature": 0.44}))
    assert is_short and "0.015 tau_alpha" in told and "initial.hold_time = 4.12e+04 or more" in told
    assert "not known" in hold_in_words(RunConfig(system={"density": 1.0}))[0]
    show(RunConfig(system={"temperature": 0.44}))
    assert "# start      hold of 60 = 0.015 tau_alpha" in capsys.readouterr().out


def test_relaxation_times_between_known_temperatures_ascend_as_it_gets_colder():
    times = [
        relaxation_of(RunConfig(system={"temperature": t}).system) for t in (0.7, 0.64, 0.6, 0.56, 0.47, 0.44, 0.42)
    ]
    assert all(a.time < b.time for a, b in pairwise(times))
    assert [each.is_published for each in times] == [False, True, False, True, False, True, False]


def test_a_plan_of_any_length_is_told_at_once(capsys):
    """It is computed, not listed: 2 * 10^12 steps here, which no list would hold."""
    show(RunConfig(production={"times": (1e10,), "n_samples": 3}, initial={"hold_time": 1e10, "cooling_time": 1e9}))
    assert re_cost(capsys.readouterr().out) == pytest.approx(3 * 512 * (2e12 + 2e11 + 1000 + 16 * 2e12), rel=1e-2)


def re_cost(shown: str) -> float:
    """The atom-steps of a plan."""
    return float(shown.split("# cost")[1].split()[0])
