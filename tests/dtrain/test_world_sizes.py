"""A training goes on with another number of processes than it began with, at every stage of ZeRO."""

from __future__ import annotations

import json

import pytest

from tests.dtrain.conftest import losses, require_goes_on


@pytest.mark.parametrize(("stage", "n_then"), [(0, 3), (1, 1), (2, 3), (3, 1), (3, 2)])
def test_a_run_of_two_processes_goes_on_with_any_number(stage, n_then, averaged_settings, averaged_run, tmp_path):
    """Its losses are those of an undisturbed run, to rounding: all that a training has gathered arrives whole.

    These are weights, moments of Adam, statistics of layers, and the average of the weights, which is validated.
    """
    (tmp_path / "zero.json").write_text(json.dumps({"zero_optimization": {"stage": stage}, "gradient_clipping": 1.0}))
    run, words = tmp_path / "runs/tiny", (*averaged_settings, "deepspeed=zero.json")
    require_goes_on(tmp_path, words, n_then, losses(averaged_run))
    for curve in ("training", "validation"):
        assert losses(run, curve) == pytest.approx(losses(averaged_run, curve), rel=2e-3)
