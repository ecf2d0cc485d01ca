"""The validation tool of flow, as far as it needs no other code and little time."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments):
    command = [sys.executable, "-m", "tools.validate_lbm", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, cwd=ROOT)


def test_orders_and_walls_are_within_their_limits():
    done = run("order", "poiseuille", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("   limit ") == 16 and "all within limits" in done.stdout


def test_a_python_that_is_not_there_is_one_line_and_exit_code_two():
    done = run("lbmpy", "--lbmpy", "nowhere/python")
    assert done.returncode == 2
    assert "nowhere/python" in done.stderr and done.stderr.count("\n") == 1
