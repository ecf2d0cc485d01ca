"""A training goes on with another number of processes than it began with, at every stage of ZeRO."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from dtrain import train
from runkit.stop import UNFINISHED
from tests.dtrain.conftest import TINY_FLOW, on_processes, train_here

# One phase, short enough to be gone through again and again.
RECIPE = (
    "ema = 0.9\n"
    + TINY_FLOW
    + """
[phase.frames]
epochs = 2
learning_rate = 1e-2
"""
)


def losses(directory: Path, curve: str = "training") -> list[float]:
    with open(directory / f"runs/tiny/{curve}.csv", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory, flow_file) -> tuple[object, ...]:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE)
    return path, f"data.file={flow_file}", "threads=1", "device=cpu"


@pytest.fixture(scope="module")
def undisturbed(settings, tmp_path_factory) -> Path:
    """The folder of one process that goes through."""
    directory = tmp_path_factory.mktemp("alone")
    code, printed = train_here(directory, *settings)
    assert code == 0, printed
    return directory


@pytest.mark.parametrize(("stage", "n_then"), [(0, 3), (1, 1), (2, 3), (3, 1), (3, 2)])
def test_a_run_of_two_processes_goes_on_with_any_number(stage, n_then, settings, undisturbed, tmp_path):
    """Its losses are those of an undisturbed run, to rounding: all that a training has gathered arrives whole.

    These are weights, moments of Adam, statistics of layers, and the average of the weights, which is validated.
    """
    (tmp_path / "zero.json").write_text(json.dumps({"zero_optimization": {"stage": stage}, "gradient_clipping": 1.0}))
    words = (*settings, "deepspeed=zero.json")
    codes, printed = on_processes(2, train.main, tmp_path, *words, "minutes=0.001")
    assert codes[0] == UNFINISHED, printed
    n_before = len(losses(tmp_path))
    assert 0 < n_before < len(losses(undisturbed)) - 2
    codes, printed = on_processes(n_then, train.main, tmp_path, *words)
    assert codes == [0] * n_then and f"goes on after step {n_before}" in printed, printed
    for curve in ("training", "validation"):
        assert losses(tmp_path, curve) == pytest.approx(losses(undisturbed, curve), rel=2e-3)
