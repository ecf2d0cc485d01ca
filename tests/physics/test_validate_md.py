"""The validation tool, as far as it needs no other code."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
LIQUID = ROOT / "tests/physics/liquid_200.data"


def run(*arguments):
    command = [sys.executable, "-m", "tools.validate_md", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


def figures(output):
    """Numbers by the words before them."""
    lines = [line for line in output.splitlines() if " passed, " not in line]  # progress
    rows = [line for line in lines if len(line) > 58 and not line.startswith("missed")]
    return {row[:58].strip(): float(row[58:].split()[0]) for row in rows}


def test_drift_is_measured_in_both_precisions():
    done = run("drift", "--configuration", LIQUID, "--steps", 200, "--temperature", 0.64)
    found = figures(done.stdout)
    for precision in ("float32", "float64"):
        assert 0 < found[f"{precision}: rms (E - E0)/N over 200 steps"] < 1e-3


def test_reliability_of_labels_is_measured(tmp_path):
    """Files whose particles move by fixed lengths plus noise: reliability as their variances say."""
    random = np.random.default_rng(1)
    start = random.random((500, 3)) * (500 / 1.2) ** (1 / 3)
    lengths = np.abs(1 + 0.1 * random.standard_normal(500) + 0.2 * random.standard_normal((32, 500)))
    direction = random.standard_normal((32, 500, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    path = tmp_path / "one.npz"
    np.savez(
        path, types=np.zeros(500, np.int8), initial_positions=start, positions=start + lengths[..., None] * direction
    )
    done = run("labels", "--configuration", path)
    assert done.returncode == 0, done.stderr
    assert abs(figures(done.stdout)["propensity_reliability"] - 1 / (1 + 4 / 32)) < 0.05


def test_a_missing_file_is_one_line_and_exit_code_two():
    done = run("drift", "--configuration", "nowhere.npz")
    assert done.returncode == 2
    assert "nowhere.npz" in done.stderr and done.stderr.count("\n") == 1
