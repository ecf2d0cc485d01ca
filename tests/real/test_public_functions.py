"""Every argument of the public functions, given what nobody should give: one line, or finite numbers."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import astuple, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lbmgen.api import simulate
from mdgen.api import evaluate, isoconfigurational, propagate
from mdgen.formats import read
from mdgen.initial import melt
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from tests.flow_factory import write_flow

WRONG: list[Any] = [
    *(None, True, b"x", -1, 0, 2.5, 1e300, -1e300, 1e-300, 10**20, 2**70, np.nan, np.inf, 1 + 2j),
    *("", " ", "words", "円柱", "a\0b", "ñ" * 300, [], [[]], {}, {"a": 1}, {1: 2}, set(), object(), len),
    *([1, 2, 3], [1e300] * 3, [1e-300] * 3, datetime.date(2020, 1, 1), [1, [2, 3]]),
    *(np.zeros(0), np.ones((3, 3)), np.array(["a"]), np.array([1 + 2j]), np.array([None])),
    *(np.zeros((40, 3)), np.full((40, 3), np.nan), np.full((40, 3), 1e300), np.full((40, 3), 1e12)),
    *(np.ones(40), np.full(40, -1), np.full(40, 2), np.ones(40, bool), np.full(40, 2**62), np.ma.masked_all(40)),
]

LIQUID = melt(40, [0.8, 0.2], 0.3, 1, 0)
STATE = {"position": LIQUID.position, "species": LIQUID.species, "box": LIQUID.box}
LAW = {"potential": "kob-andersen", "dtype": "float64"}
FLOW = {"rho": np.ones((8, 6)), "u": np.zeros((8, 6, 2)), "tau": 0.8, "n_steps": 2}
CHOICES = {"lattice": "D2Q9", "collision": "bgk", "force": None, "boundaries": "periodic", "dtype": "float64"}
FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "evaluate": (evaluate, {**STATE, **LAW, "device": None}),
    "propagate": (propagate, {**STATE, "velocity": np.zeros((40, 3)), "dt": 0.001, "n_steps": 1, **LAW}),
    "isoconfigurational": (
        isoconfigurational,
        {**STATE, "temperature": 1.0, "times": [0.01], "n_replicas": 2, "seed": 1, "dt": 0.005, **LAW},
    ),
    "simulate": (simulate, {**FLOW, **CHOICES, "solid": None, "device": "cpu"}),
    "simulate with a body": (simulate, {**FLOW, "sdf": None}),
}
ARGUMENTS = [(name, argument) for name, (_, good) in FUNCTIONS.items() for argument in good]
pytestmark = pytest.mark.filterwarnings("error")  # what NumPy warns of is a number that is none, or a lost part


def numbers_of(result: Any) -> list[np.ndarray]:
    """All numbers of a result, in one list of arrays."""
    parts = astuple(result) if is_dataclass(result) else result if isinstance(result, tuple) else (result,)
    return [np.asarray(part, float) for part in parts]


def require_one_line_or_numbers(call: Callable[[], Any]) -> None:
    try:
        result = call()
    except UserError as error:
        assert str(error) and "\n" not in str(error)
        return
    assert all(np.isfinite(part).all() for part in numbers_of(result))


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_an_argument_of_no_sense_gives_one_line_or_finite_numbers(name, argument):
    function, good = FUNCTIONS[name]
    for value in WRONG:
        require_one_line_or_numbers(lambda value=value: function(**{**good, argument: value}))


@pytest.mark.parametrize("argument", ["path", "density", "species", "frames"])
def test_reading_a_configuration_with_arguments_of_no_sense_gives_one_line_or_finite_numbers(argument, tmp_path):
    path = tmp_path / "two.xyz"
    path.write_text('2\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3\nA 0 0 0\nB 1 1 1\n')
    for value in WRONG:
        wrong = {"path": path, argument: value}
        require_one_line_or_numbers(lambda wrong=wrong: tuple(one.position for one in read(**wrong)))


def test_particles_that_lie_on_each_other_have_no_energy():
    position = LIQUID.position.copy()
    position[1] = position[0]
    with pytest.raises(UserError, match="lie on each other"):
        evaluate(position, LIQUID.species, LIQUID.box)


def test_positions_are_refused_only_where_their_digits_are_lost():
    near = evaluate(**STATE).energy
    assert evaluate(LIQUID.position + 1000 * LIQUID.box, LIQUID.species, LIQUID.box).energy == pytest.approx(near)
    with pytest.raises(UserError, match="digits are lost"):
        evaluate(LIQUID.position + 1e9 * LIQUID.box, LIQUID.species, LIQUID.box)


NO_NAMES: list[Any] = [None, 3, 1.5, "", "/", ".", "t0_fields", "円柱", b"x", [], {}, np.ones(3), "a\0b"]


def test_names_of_no_field_are_told_by_a_dataset(tmp_path: Path):
    """As of a mapping: a name that is not there is a KeyError that names file and field."""
    with Dataset(write_flow(tmp_path / "flow.h5")) as dataset:
        for name in NO_NAMES:
            assert name not in dataset
            with pytest.raises((KeyError, UserError)) as error:
                dataset[name]
            assert "flow.h5" in str(error.value)
