"""A training goes on with another number of processes than it began with, at every stage of ZeRO."""

from __future__ import annotations

import json

import pytest

from dtrain import train
from runkit.stop import UNFINISHED
from tests.dtrain.conftest import losses, on_processes


@pytest.mark.parametrize(("stage", "n_then"), [(0, 3), (1, 1), (2, 3), (3, 1), (3, 2)])
def test_a_run_of_two_processes_goes_on_with_any_number(stage, n_then, averaged_settings, averaged_run, tmp_path):
    """Its losses are those of an undisturbed run, to rounding: all that a training has gathered arrives whole.

    These are weights, moments of Adam, statistics of layers, and the average of the weights, which is validated.
    """
    (tmp_path / "zero.json").write_text(json.dumps({"zero_optimization": {"stage": stage}, "gradient_clipping": 1.0}))
    run, words = tmp_path / "runs/tiny", (*averaged_settings, "deepspeed=zero.json")
    codes, printed = on_processes(2, train.main, tmp_path, *words, "minutes=0.001", "grace_seconds=150")
    assert codes[0] == UNFINISHED, printed
    n_before = len(losses(run))
    assert 0 < n_before < len(losses(averaged_run)) - 2
    codes, printed = on_processes(n_then, train.main, tmp_path, *words)
    assert codes == [0] * n_then and f"goes on after step {n_before}" in printed, printed
    for curve in ("training", "validation"):
        assert losses(run, curve) == pytest.approx(losses(averaged_run, curve), rel=2e-3)
