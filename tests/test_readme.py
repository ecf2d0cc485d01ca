"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mdgen.config import RunConfig
from mdgen.run import generate
from runkit.mpi import SerialWorld

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture
def generated(tmp_path, monkeypatch):
    """A folder with a small file where the README expects one."""
    monkeypatch.chdir(tmp_path)
    quick = {"melt_time": 1.0, "cooling_time": 1.0, "hold_time": 1.0}
    production = {"n_samples": 1, "n_replicas": 2, "times": (0.01,)}
    generate(SerialWorld(), RunConfig(device="cpu", system={"n_particles": 200}, initial=quick, production=production))


def test_the_python_of_the_readme_runs(generated):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert np.isfinite(names["result"].energy) and (names["propensity"] > 0).all()
    drag = names["flow"].body_force[-1, 0]
    assert names["flow"].u.shape == (300, 100, 2) and drag > 0
