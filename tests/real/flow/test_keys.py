"""Every key of a configuration of flow, driven through values that nobody should give: one line, or a plan."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbmgen.config import Case
from runkit.constraints import keys
from tests.real.flow.program import plan_or_refusal

FACES = [f"boundaries.{axis}_{side}" for axis in "xy" for side in ("low", "high")]
KINDS = {"velocity": ("velocity", "profile"), "no-slip": ("velocity",), "pressure": ("density",),
         "convective": ("density", "speed"), "free-slip": ("kind", "x")}  # fmt: skip
LAWS = {"trt": "magic", "smagorinsky": "constant", "bgk": "x"}
# In tables of a list: the list with one table in which the key has the value.
LISTED = {
    "obstacles.families": {"family": "ellipse", "aspect": [1.5, 2.0], "angle": 0.0},
    "obstacles.given": {"family": "circle", "center": [20, 16], "size": 5, "angle": 0.0, "parameters": {}},
}
FAMILIES = {
    "ellipse": ("aspect",),
    "blob": ("seed", "modes", "roughness"),
    "polygon": ("sides", "vertices"),
    "aerofoil": ("code",),
    "file": ("path", "diameter", "spacing", "name"),
}

NUMBERS = [True, -1, 0, 1, 2, 3, 10**6, 10**12, -(10**20), 0.5, -0.5, 1e-300, 1e300, -1e300]
NOT_FINITE = [float("nan"), float("inf"), -float("inf")]
WORDS = ["", "words", "no-slip", "periodic", "円柱", "ñ" * 300, "[1, 2]"]
plain = st.sampled_from([*NUMBERS, *NOT_FINITE, *WORDS, datetime.date(2020, 1, 1)])
anything = st.one_of(
    plain,
    st.lists(plain, max_size=3),
    st.lists(st.lists(plain, max_size=2), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["kind", "family", "", "ü"]), plain, max_size=2),
    st.lists(st.dictionaries(st.sampled_from(["kind", "family"]), plain, max_size=1), max_size=2),
)
EXAMPLES = settings(
    max_examples=100, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def check(key: str, value: object, name: str) -> None:
    """No traceback; a refusal is one line that names a key that the reader gave, or could change."""
    told = plan_or_refusal(key, value)
    assert "\n" not in told
    known = ["boundaries", "collision", "obstacle", "boundary", *(each.split(".")[-1] for each in keys(Case))]
    assert not told or any(word in told for word in (name, *known)), (key, value, told)


@pytest.mark.parametrize("section", ["", "grid", "flow", "collision", "boundaries", "obstacles", "frames"])
@EXAMPLES
@given(st.data())
def test_a_value_of_a_key_gives_a_plan_or_one_line(section, data):
    own = [key for key in keys(Case) if key.rpartition(".")[0] == section]
    key = data.draw(st.sampled_from(own))
    check(key, data.draw(anything), key.split(".")[-1])


@EXAMPLES
@given(data=st.data())
def test_a_parameter_of_a_face_or_a_law_gives_a_plan_or_one_line(data):
    kind = data.draw(st.sampled_from(list(KINDS)))
    name = data.draw(st.sampled_from(KINDS[kind]))
    check(data.draw(st.sampled_from(FACES)), {"kind": kind, name: data.draw(anything)}, name)
    law = data.draw(st.sampled_from(list(LAWS)))
    check("collision", {"name": law, "parameters": {LAWS[law]: data.draw(anything)}}, LAWS[law])


@pytest.mark.parametrize("key", LISTED)
@EXAMPLES
@given(data=st.data())
def test_a_value_in_the_table_of_a_body_gives_a_plan_or_one_line(key, data):
    name = data.draw(st.sampled_from([*LISTED[key], "unknown"]))
    check(key, [LISTED[key] | {name: data.draw(anything)}], name)


@pytest.mark.parametrize("family", FAMILIES)
@EXAMPLES
@given(data=st.data())
def test_a_parameter_of_a_family_gives_a_plan_or_one_line(family, data):
    name = data.draw(st.sampled_from(FAMILIES[family]))
    check("obstacles.families", [{"family": family, name: data.draw(anything)}], name)


@pytest.mark.parametrize("key", [key for key in keys(Case) if not key.startswith(("boundaries.z", "collision.param"))])
def test_a_value_of_a_wrong_type_is_refused_with_the_key(key):
    """A date is never allowed."""
    told = plan_or_refusal(key, datetime.date(2020, 1, 1))
    assert key in told and "allowed" in told
