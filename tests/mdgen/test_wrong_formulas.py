"""A pair law or thermostat of a user with a wrong formula is refused before any work, in one line that names it."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from mdgen.config import RunConfig
from mdgen.potentials import potential
from mdgen.potentials.pair import PairLaw, PairPotential
from mdgen.resolve import potential_of
from mdgen.thermostats import thermostat
from mdgen.thermostats.bussi import Bussi
from runkit.errors import UserError
from runkit.formula import exp, power
from tests.conftest import clean_environment


@dataclass(frozen=True)
class Mine(PairLaw):
    """A screened repulsion whose formulas may be replaced."""

    def columns(self, cutoff, kappa):
        return {"kappa": kappa, "edge": np.full(cutoff.shape, 0.1)}

    def energy(self, square, pair):
        return exp(-pair.kappa * np.sqrt(square)) - pair.edge

    def force(self, square, pair):
        return pair.kappa * exp(-pair.kappa * np.sqrt(square)) / np.sqrt(square)


class ByNumpy(Mine):
    def energy(self, square, pair):
        return np.exp(-pair.kappa * np.sqrt(square))


class ByMath(Mine):
    def force(self, square, pair):
        return pair.kappa / math.sqrt(square)


class ByBranch(Mine):
    def virial(self, square, pair):
        return square if square > 1.0 else pair.kappa


class ByRoot(Mine):
    def force(self, square, pair):
        return power(square, -0.5)


class Misspelt(Mine):
    def force(self, square, pair):
        return pair.kapa * square


@dataclass(frozen=True)
class WithoutItsNumber(Mine):
    steepness: int = 2

    def energy(self, square, pair):
        return self.steepnes * square


class Several(Mine):
    def energy(self, square, pair):
        return square, pair.kappa


class OneNumber(Mine):
    def columns(self, cutoff, kappa):
        return super().columns(cutoff, kappa) | {"kappa": 2.0}


@dataclass
class Thawed(PairLaw):
    """Not frozen."""

    columns, energy, force = Mine.columns, Mine.energy, Mine.force


WRONG = [
    (ByNumpy, r"energy of the pair law ByNumpy \(.*test_wrong_formulas\.py:\d+\) uses np\.exp; use exp of runkit"),
    (ByMath, r"force of the pair law ByMath .* makes a plain number of a value, as functions of `math` do"),
    (ByBranch, r"virial of the pair law ByBranch .* chooses by a value"),
    (ByRoot, r"force of the pair law ByRoot .* exponent = -0\.5; allowed: whole numbers from 1, and np\.sqrt"),
    (Misspelt, r"force of the pair law Misspelt .* uses 'kapa', which is not there; there are: kappa, edge"),
    (WithoutItsNumber, r"energy of the .* uses 'steepnes', which is not there; there are: steepness"),
    (Several, r"energy of the pair law Several .* gives a tuple; needed: one value"),
    (OneNumber, r"OneNumber\.columns: kappa has shape \(\); needed: \(2, 2\)"),
    (Thawed, r"Thawed: a law is a frozen dataclass"),
]


def of_two(law: type[PairLaw]) -> PairPotential:
    return PairPotential.of(law(), np.full((2, 2), 2.0), kappa=np.ones((2, 2)))


@pytest.fixture
def register(monkeypatch):
    """Adds parts to a registry for the length of a test."""
    return lambda registry, name, part: (registry.names(), monkeypatch.setitem(registry._parts, name, part))


@pytest.mark.parametrize(("law", "line"), WRONG)
def test_a_wrong_pair_law_is_refused_when_it_is_made(register, law, line):
    of_two(Mine)
    register(potential, "mine", partial(of_two, law))
    with pytest.raises(UserError, match=line):
        potential_of(RunConfig(system={"potential": "mine"}))


class Chooses(Bussi):
    @staticmethod
    def after(kinetic, value, number, constant):
        return (1.0 if kinetic > constant[0] else 2.0), value


class Forgets(Bussi):
    @staticmethod
    def after(kinetic, value, number, constant):
        return 1.0, ()


class Bare(Bussi):
    @staticmethod
    def after(kinetic, value, number, constant):
        return kinetic


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (Chooses, r"after of the thermostat Chooses .* chooses by a value"),
        (Forgets, r"after of the thermostat Forgets .* gives 0 values; needed: \d+ values"),
        (Bare, r"after of the thermostat Bare .* gives no pair"),
    ],
)
def test_a_wrong_thermostat_is_refused_before_any_work(register, kind, line):
    register(thermostat, "mine", kind)
    with pytest.raises(UserError, match=line):
        potential_of(RunConfig(initial={"thermostat": "mine"}))


@pytest.mark.parametrize("name", thermostat.names())
def test_every_thermostat_passes(name):
    potential_of(RunConfig(initial={"thermostat": name}))


PROGRAM = """
import sys
from functools import partial
from mdgen.__main__ import main
from mdgen.potentials import potential
from tests.mdgen.test_wrong_formulas import ByNumpy, of_two
potential.names()
potential("mine")(partial(of_two, ByNumpy))
sys.argv = ["mdgen", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("words", [["show"], []])
def test_the_program_ends_with_one_line_and_writes_nothing(tmp_path, words):
    given = [*words, "system.potential=mine", "output=a.h5"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *given], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "energy of the pair law ByNumpy" in errors[0] and "Traceback" not in done.stderr
