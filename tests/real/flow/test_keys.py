"""Every key of a configuration of flow, driven through values that nobody should give: one line, or a plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbmgen.config import RunConfig
from runkit.constraints import keys
from tests.real.flow.program import plan_or_refusal
from tests.real.wrong import DATE, anything, examples, own_keys, require_named

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

EXAMPLES = examples(100)
FACES_AND_LAWS = ("boundaries", "collision", "obstacle", "boundary")


def check(key: str, value: object, name: str) -> None:
    """No traceback; a refusal is one line that names a key that the reader gave, or could change."""
    require_named(plan_or_refusal(key, value), RunConfig, (name, *FACES_AND_LAWS), (key, value))


@pytest.mark.parametrize("section", ["", "grid", "flow", "collision", "boundaries", "obstacles", "frames"])
@EXAMPLES
@given(st.data())
def test_a_value_of_a_key_gives_a_plan_or_one_line(section, data):
    key = data.draw(st.sampled_from(own_keys(RunConfig, section)))
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


@pytest.mark.parametrize(
    "key", [key for key in keys(RunConfig) if not key.startswith(("boundaries.z", "collision.param"))]
)
def test_a_value_of_a_wrong_type_is_refused_with_the_key(key):
    """A date is never allowed."""
    told = plan_or_refusal(key, DATE)
    assert key in told and "allowed" in told
