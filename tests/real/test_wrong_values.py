"""Public functions that are given values of no sense say so in one line: a table of refusals."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from dtrain.config import recipe_class
from dtrain.normalisation import Normalisation
from dtrain.ranks import connect
from dtrain.weights import load_model, read_recipe
from mdgen.api import evaluate, isoconfigurational, propagate
from mdgen.config import RunConfig
from mdgen.initial import melt
from runkit.checkpoint import load_arrays
from runkit.config import load, read_toml
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.outputs import require_replaceable
from runkit.rng import stream

NO_PATHS: list[Any] = [None, 3, "", " ", "a\0b", "n" * 300, b"x", [], 1.5]
READERS = [read_toml, load_arrays, lambda path: Dataset(path).file, load_model, read_recipe, require_replaceable]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("path", NO_PATHS, ids=lambda path: repr(path)[:9])
def test_what_is_no_path_is_refused(read, path):
    with pytest.raises(UserError):
        read(path)


@pytest.mark.parametrize("path", NO_PATHS, ids=lambda path: repr(path)[:9])
def test_what_is_no_path_does_not_pass_the_check(path):
    with suppress(UserError):
        assert not check(path).good


@pytest.mark.parametrize("value", [None, "x", -1, np.nan, [], 2**70, 1.5])
def test_processes_are_not_joined_with_values_of_no_sense(value):
    for arguments in ((value,), ("cpu", value), ("cpu", 1, value)):
        with pytest.raises(UserError):
            connect(*arguments)


@pytest.mark.parametrize("override", ["x", "=3", "a.b.c=1", 3, None, {"seed": {}}, {1: 2}, "seed=[[[", "system=3"])
def test_settings_of_no_sense_are_refused(override):
    with pytest.raises(UserError):
        load(RunConfig, None, [override])


@pytest.mark.parametrize("name", [None, "x", np.nan, 3])
def test_data_sets_of_no_name_are_refused(name):
    with pytest.raises(UserError):
        recipe_class(name)


@pytest.mark.parametrize("targets", [(), (np.array([]),), (np.array(["a"]),), (np.array([np.nan]),), (np.ones(3),)])
def test_targets_that_do_not_vary_are_refused(targets):
    with pytest.raises(UserError):
        Normalisation.of(*targets)


@pytest.mark.parametrize("key", [None, 1.5, [], True])
def test_random_numbers_need_a_whole_seed(key):
    with pytest.raises(UserError):
        stream(key, "x")


LIQUID = melt(40, [0.8, 0.2], 0.3, 1, 0)
STATE = (LIQUID.position, LIQUID.species, LIQUID.box)
GOOD = {"temperature": 1.0, "times": [0.01], "n_replicas": 2, "seed": 1}
WRONG = [
    *({"times": value} for value in ([np.nan], [], None, ["a"], 5.0, [np.inf], [1, 1], [-1])),
    *({"seed": value} for value in (None, 1.5, [])),
    *({"n_replicas": value} for value in (None, 0, 2.5, "2")),
    *({"temperature": value} for value in (None, "x", 0, np.nan)),
    *({"dt": value} for value in (None, 0, -1, np.nan, "x")),
    *({"potential": value} for value in (None, 3, "kob", [])),
    *({"dtype": value} for value in (None, "f2", 3)),
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_ensembles_of_no_sense_are_refused(wrong):
    with pytest.raises(UserError):
        isoconfigurational(*STATE, **{**GOOD, **wrong})


POSITIONS = [None, "a", LIQUID.position[:, :2], LIQUID.position * np.nan, [[]]]


@pytest.mark.parametrize("position", POSITIONS, ids=range(len(POSITIONS)))
def test_positions_of_no_sense_are_refused(position):
    with pytest.raises(UserError):
        evaluate(position, *STATE[1:])
    with pytest.raises(UserError):
        propagate(position, np.zeros((40, 3)), *STATE[1:], dt=0.001, n_steps=1)


@pytest.mark.parametrize("box", [None, [1, 2], -3.0, np.nan, "x", [np.inf] * 3], ids=lambda value: repr(value)[:12])
def test_boxes_of_no_sense_are_refused(box):
    with pytest.raises(UserError):
        evaluate(*STATE[:2], box)


@pytest.mark.parametrize("n_steps", [None, -1, 1.5, "3"])
def test_numbers_of_steps_of_no_sense_are_refused(n_steps):
    with pytest.raises(UserError):
        propagate(STATE[0], np.zeros((40, 3)), *STATE[1:], dt=0.001, n_steps=n_steps)
