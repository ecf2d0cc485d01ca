"""Every key of evaluations and predictions, driven through values that nobody should give: one line, or a result."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtrain.evaluate import evaluate
from dtrain.predict import predict
from dtrain.tasks import task
from runkit.config import load
from runkit.constraints import keys
from tests.dtrain.conftest import train_here
from tests.flow_factory import FLOW_RECIPE, write_flow
from tests.isoconfig_factory import write_isoconfig
from tests.real.wrong import anything, examples, plan_or_refusal, require_named

GLASS = (
    *("name=glass", "data.time=1", "data.split.train=2", "data.split.validation=1", "data.split.test=1"),
    *("phase.joint.epochs=1", "model.parameters.width=4", "model.parameters.rounds=1", "device=cpu", "threads=1"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a trained network of each kind and its file."""
    folder = tmp_path_factory.mktemp("tasks")
    write_isoconfig(folder / "glass.h5", 4)
    write_flow(folder / "flow.h5")
    (folder / "flow.toml").write_text(FLOW_RECIPE)
    for words in (("flow.toml", "name=flow"), ("recipes/botan.toml", "data.file=glass.h5", *GLASS)):
        code, printed = train_here(folder, *words)
        assert code == 0, printed
    return folder


@pytest.mark.parametrize("name", ["glass", "flow"])
@pytest.mark.parametrize(("kind", "use"), [("Evaluate", evaluate), ("Predict", predict)], ids=["evaluate", "predict"])
@examples(15)
@given(data=st.data())
def test_a_value_of_a_key_gives_a_result_or_one_line(made: Path, name: str, kind: str, use: Any, data):
    model = getattr(task.get(name), kind)
    run = "run" if kind == "Evaluate" else "model"
    small = [{run: f"runs/{name}", "device": "cpu", "threads": 1}]
    of_kind = {
        "Evaluate": {"output": str(made / "out")},
        "Predict": {"file": f"{name}.h5", "output": f"out_{name}.h5"},
    }
    small.append(of_kind[kind])
    key, value = data.draw(st.sampled_from(keys(model))), data.draw(anything)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        told = plan_or_refusal(partial(load, model, None), use, small, key, value)
    require_named(told, model, (key, " ".join(f"{value}".split())[:20]), (key, value))
