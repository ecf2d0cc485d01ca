"""Every key of a configuration of molecular dynamics, driven through values that nobody should give."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdgen.config import RunConfig
from mdgen.plan import show
from mdgen.potentials import potential
from runkit.config import load
from runkit.constraints import keys
from tests.real.wrong import DATE, anything, examples, own_keys, plan_or_refusal, require_named

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")  # no number that is none, without a word
SMALL = ("production.n_samples=2", "production.n_replicas=2", "device='cpu'")
told_of = partial(plan_or_refusal, partial(load, RunConfig, None), show, SMALL)


@pytest.mark.parametrize("section", ["", "system", "initial", "integrator", "production", "label"])
@examples(150)
@given(data=st.data())
def test_a_value_of_a_key_gives_a_plan_or_one_line(section, data):
    key, value = data.draw(st.sampled_from(own_keys(RunConfig, section))), data.draw(anything)
    require_named(told_of(key, value), RunConfig, (key.split(".")[-1],), (key, value))


@examples(150)
@given(data=st.data())
def test_a_parameter_of_a_potential_gives_a_plan_or_one_line(data):
    name = data.draw(st.sampled_from(potential.names()))
    key = data.draw(st.sampled_from([*potential.parameters(name), "ü"]))
    value = {"potential": name, "parameters": {key: data.draw(anything)}}
    require_named(told_of("system", value), RunConfig, (key,), ("system", value))


@pytest.mark.parametrize("key", [key for key in keys(RunConfig) if key != "system.parameters"])
def test_a_value_of_a_wrong_type_is_refused_with_the_key(key):
    told = told_of(key, DATE)
    assert key in told and "allowed" in told
