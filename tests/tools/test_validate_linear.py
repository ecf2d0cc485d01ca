"""Cross-validation of the linear model, beside runs of the recipe."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from dtrain.data.glass import Glass, GlassOptions
from dtrain.least_squares import solve
from dtrain.models.linear import Linear
from runkit.mpi import SerialWorld
from tests.isoconfig_factory import write_isoconfig
from tools.validate_linear import main, scores_of_fold


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_isoconfig(tmp_path_factory.mktemp("folds") / "few.h5", n_samples=6, seed=3)


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["validate_linear", *map(str, words)])
    return main()


def test_folds_that_share_sums_score_as_solutions_of_their_own(file, monkeypatch, capsys):
    """Means over all samples left out, against a solution for each fold as the recipe makes it."""
    assert run(monkeypatch, file, "--time", 1) == 0
    printed = capsys.readouterr().out
    each = []
    for fold in range(3):
        split = {"train": 3, "validation": 1, "test": 2, "fold": fold}
        keys = {"positions": "both", "descriptors": True, "split": split}
        data = Glass(GlassOptions.model_validate({"file": str(file), "time": 1, **keys}))
        network = Linear(**data.sizes)
        solve(SerialWorld(), network, data, "fold")
        each += [score.each for score in scores_of_fold(network, data, data.parts["test"])[:1]]
    found = re.search(r"particles \(A\) +mean (\S+) \+- (\S+)", printed)
    assert "3 folds, 2 samples left out of each" in printed
    assert float(found[1]) == pytest.approx(np.mean(each), abs=0.002)
    assert float(found[2]) == pytest.approx(np.std(each, ddof=1) / np.sqrt(6), abs=0.002)


def test_a_file_that_is_not_there_is_refused_in_a_line(monkeypatch, capsys):
    assert run(monkeypatch, "nowhere.h5") == 2
    assert "nowhere.h5" in capsys.readouterr().err


def test_cages_without_a_time_are_refused_in_a_line(file, monkeypatch, capsys):
    assert run(monkeypatch, file, "--cages", 2) == 2
    assert "replicas = 2: time is needed" in capsys.readouterr().err
