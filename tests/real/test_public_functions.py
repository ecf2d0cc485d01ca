"""Every argument of every public function, given what nobody should give: one line, or finite numbers."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import dtrain
import lbmgen
import mdgen
from mdgen.api import evaluate
from mdgen.initial import melt
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from tests.flow_factory import write_flow
from tests.real.wrong import examples

WRONG: list[Any] = [
    *(None, True, b"x", -1, 0, 2.5, 1e300, -1e300, 1e-300, 10**20, 2**70, np.nan, np.inf, 1 + 2j),
    *("", " ", "words", "円柱", "a\0b", "ñ" * 300, "ñ" * 130, ".", [], [[]], {}, {"a": 1}, {1: 2}, set(), object()),
    *([1, 2, 3], [1e300] * 3, [1e-300] * 3, datetime.date(2020, 1, 1), [1, [2, 3]], [None], ["a"], [[1, 2], [3, 4]]),
    *(np.zeros(0), np.ones((3, 3)), np.array(["a"]), np.array([1 + 2j]), np.array([None]), np.float64(1), np.array(2)),
    *(np.zeros((40, 3)), np.full((40, 3), np.nan), np.full((40, 3), 1e300), np.full((40, 3), 1e12)),
    *(np.ones(40), np.full(40, -1), np.full(40, 2), np.ones(40, bool), np.full(40, 2**62), np.ma.masked_all(40)),
    *(np.ones((8, 6), bool), np.zeros((8, 6), bool), np.full((8, 6), np.nan), np.ones((2, 8, 6)), np.ones((8, 6, 2))),
]
FEW = st.sampled_from([-1e300, -1.0, 0.0, 1e-300, 0.5, 1.0, 2.0, 1e12, 1e160, 1e300, np.nan, np.inf, -np.inf])
SHAPES = st.sampled_from([(), (0,), (1,), (3,), (8, 6), (40,), (40, 3), (2, 8, 6), (8, 6, 2), (0, 3), (1, 1, 1, 1)])
anything = st.one_of(
    st.sampled_from(WRONG),
    arrays(np.float64, SHAPES, elements=FEW),
    arrays(np.int64, SHAPES, elements=st.sampled_from([-1, 0, 1, 2, 2**40])),
    arrays(bool, SHAPES),
    st.lists(FEW, max_size=3),
    st.dictionaries(st.sampled_from(["kind", "name", "x", "y_low", "ü"]), st.sampled_from(WRONG[:24]), max_size=2),
)

LIQUID = melt(40, [0.8, 0.2], 0.3, 1, 0)
STATE = {"position": LIQUID.position, "species": LIQUID.species, "box": LIQUID.box}
LAW = {"potential": "kob-andersen", "dtype": "float64", "device": None, "parameters": None}
SPREAD = {"temperature": 1.0, "times": [0.01], "n_replicas": 2, "seed": 1, "dt": 0.005}
BRIEF = {"replicas": 2, "time": 0.01, "potential": "kob-andersen", "parameters": None}
FLOW = {"rho": np.ones((8, 6)), "u": np.zeros((8, 6, 2)), "tau": 0.8, "n_steps": 2}
CHOICES = {"lattice": "D2Q9", "collision": "bgk", "force": None, "boundaries": "periodic", "dtype": "float64"}
FIELD, FLUID = np.indices((8, 6)).sum(axis=0) * 1.0, np.ones((8, 6), bool)
PAIR, MOVING = {"predicted": FIELD + 1, "wanted": FIELD, "fluid": FLUID}, {"velocity": np.stack([FIELD, FIELD**2])}
FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "read": (mdgen.read, {"path": "two.xyz", "density": None, "species": (), "frames": ()}),
    "evaluate": (mdgen.evaluate, {**STATE, **LAW}),
    "mechanics": (mdgen.mechanics, {**STATE, "potential": "kob-andersen", "parameters": None}),
    "inherent_position": (mdgen.inherent_position, {**STATE, "potential": "kob-andersen", "parameters": None}),
    "propagate": (mdgen.propagate, {**STATE, "velocity": np.zeros((40, 3)), "dt": 0.001, "n_steps": 1, **LAW}),
    "follow": (mdgen.follow, {**STATE, "velocity": np.zeros((40, 3)), "times": [0.01], "dt": 0.005, **LAW}),
    "isoconfigurational": (mdgen.isoconfigurational, {**STATE, **SPREAD, **LAW}),
    "trajectories": (lambda **given: list(mdgen.trajectories(**given)), {**STATE, **SPREAD, **LAW, "first": 0}),
    "simulate": (lbmgen.simulate, {**FLOW, **CHOICES, "solid": None, "device": "cpu"}),
    "simulate with a body": (lbmgen.simulate, {**FLOW, "sdf": None}),
    "descriptors": (
        dtrain.descriptors,
        {**STATE, "thermal": None, "potential": "kob-andersen", "parameters": None, "n_species": None},
    ),
    "cages": (dtrain.cages, {**STATE, "inherent": LIQUID.position, "temperature": 1.0, **BRIEF}),
    "load_model": (dtrain.load_model, {"path": "nowhere"}),
    "pearson": (dtrain.pearson, {"x": [1.0, 2.0, 4.0], "y": [1, 3, 2]}),
    "score": (dtrain.score, {"predicted": [[1.0, 2.0], [3.0, 1.0]], "simulated": [[1, 3], [3, 2]]}),
    "ceiling": (dtrain.ceiling, {"reliability": [0.5, 0.8]}),
    "variance_error": (dtrain.variance_error, PAIR),
    "correlation": (dtrain.correlation, PAIR),
    "correlation_time": (dtrain.correlation_time, {"values": [0.9, 0.5]}),
    "vorticity": (dtrain.vorticity, {**MOVING, "fluid": FLUID}),
    "divergence": (dtrain.divergence, {**MOVING, "fluid": FLUID}),
    "energy_spectrum": (dtrain.energy_spectrum, {**MOVING, "fluid": FLUID}),
    "spectrum_error": (dtrain.spectrum_error, {"predicted": [1.0, 2.0], "wanted": [2, 3]}),
}
# Their documentation says of which sound arguments they have no number.
UNDEFINED = ("pearson", "score", "divergence")
ARGUMENTS = [(name, argument) for name, (_, good) in FUNCTIONS.items() for argument in good]
pytestmark = pytest.mark.filterwarnings("error")  # what NumPy warns of is a number that is none, or a lost part


@pytest.fixture(autouse=True, scope="module")
def _here(tmp_path_factory):
    """A folder with two particles in a file."""
    folder = tmp_path_factory.mktemp("here")
    header = 'Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3'
    (folder / "two.xyz").write_text(f"2\n{header}\nA 0 0 0\nB 1 1 1\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def numbers_of(result: Any) -> Iterator[np.ndarray]:
    """All numbers of a result."""
    if is_dataclass(result):
        result = [getattr(result, field.name) for field in fields(result)]
    if isinstance(result, (list, tuple)):
        for part in result:
            yield from numbers_of(part)
    elif result is not None and not isinstance(result, str):
        yield np.asarray(result, float)


def are_scores(name: str, given: dict[str, Any]) -> bool:
    """Whether a function may say by NaN, as documented, that something has no number."""
    if name in UNDEFINED:
        assert "NaN" in (FUNCTIONS[name][0].__doc__ or "")
        return True
    is_score = FUNCTIONS[name][0].__module__.endswith("metrics")
    return is_score and any(not (np.abs(part) < 1e150).all() for value in given.values() for part in numbers_of(value))


def require_one_line_or_numbers(name: str, changes: dict[str, Any]) -> None:
    function, good = FUNCTIONS[name]
    arguments = {**good, **changes}
    try:
        result = function(**arguments)
    except UserError as error:
        assert str(error) and "\n" not in str(error)
        return
    if not are_scores(name, arguments):
        assert all(np.isfinite(part).all() for part in numbers_of(result))


def test_every_public_function_is_driven():
    public = {name: getattr(package, name) for package in (mdgen, lbmgen, dtrain) for name in package.__all__}
    functions = {name for name, one in public.items() if not isinstance(one, type)}
    assert functions == {name for name in FUNCTIONS if name != "simulate with a body"}


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_an_argument_of_no_sense_gives_one_line_or_finite_numbers(name, argument):
    for value in WRONG:
        require_one_line_or_numbers(name, {argument: value})


@pytest.mark.parametrize("name", FUNCTIONS)
@examples(60)
@given(data=st.data())
def test_arguments_of_no_sense_together_give_one_line_or_finite_numbers(name, data):
    some = st.lists(st.sampled_from(list(FUNCTIONS[name][1])), min_size=1, max_size=2, unique=True)
    require_one_line_or_numbers(name, {argument: data.draw(anything, argument) for argument in data.draw(some)})


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
