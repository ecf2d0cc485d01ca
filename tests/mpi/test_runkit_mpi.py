"""Ranks under a launcher: they see one another, and the end of one is the end of all."""

from __future__ import annotations

import time

import pytest

HEAD = """
import sys, time
from runkit.errors import UserError
from runkit.mpi import launch

def main(world):
{body}

launch(main)
"""


def program(tmp_path, body: str):
    path = tmp_path / "program.py"
    path.write_text(HEAD.format(body="\n".join("    " + line for line in body.strip().splitlines())))
    return path


@pytest.mark.parametrize("n", [1, 2, 3])
def test_ranks_that_mpi_has_joined_do_what_a_world_promises(mpiexec, n):
    done = mpiexec(n, "-m", "tests.worlds", timeout=60)
    assert done.returncode == 0 and done.stdout.count(f"MpiWorld of {n}: as promised") == n, done.stderr


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_user_error_on_all_ranks_is_one_line_and_code_2(mpiexec, tmp_path, n):
    done = mpiexec(n, program(tmp_path, "raise UserError('the box is too small')"), timeout=30)
    assert done.returncode == 2
    assert done.stderr == "error: the box is too small\n"


def test_a_user_error_of_root_reaches_all_ranks(mpiexec, tmp_path):
    body = """
def fail():
    raise UserError("the disk is full")
world.on_root(fail)
"""
    done = mpiexec(3, program(tmp_path, body), timeout=30)
    assert done.returncode == 2 and done.stderr == "error: the disk is full\n"


@pytest.mark.parametrize("culprit", [0, 2])
def test_a_user_error_on_one_rank_ends_all_with_code_2(mpiexec, tmp_path, culprit):
    body = f"""
if world.rank == {culprit}:
    raise UserError("sample 3 is bad")
world.barrier()
time.sleep(60)
"""
    started = time.monotonic()
    done = mpiexec(3, program(tmp_path, body), timeout=40)
    assert done.returncode == 2 and time.monotonic() - started < 30
    assert f"error: rank {culprit}: sample 3 is bad\n" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("culprit", [0, 1])
def test_any_other_error_on_one_rank_ends_all_with_its_traceback(mpiexec, tmp_path, culprit):
    body = f"""
if world.rank == {culprit}:
    raise ZeroDivisionError("a bug")
world.bcast(None, root={culprit})
time.sleep(60)
"""
    done = mpiexec(2, program(tmp_path, body), timeout=40)
    assert done.returncode == 1
    assert f"rank {culprit} of 2: Traceback" in done.stderr and "ZeroDivisionError: a bug" in done.stderr


def test_an_exit_with_a_code_on_one_rank_ends_all(mpiexec, tmp_path):
    done = mpiexec(2, program(tmp_path, "if world.rank == 1:\n    sys.exit(5)\nworld.barrier()"), timeout=30)
    assert done.returncode == 5


def test_a_killed_rank_ends_all(mpiexec, tmp_path):
    body = "import os\nif world.rank == 1:\n    os.kill(os.getpid(), 9)\nworld.barrier()"
    assert mpiexec(2, program(tmp_path, body), timeout=30).returncode != 0


def test_a_mistake_on_the_command_line_ends_all_ranks_with_one_line(mpiexec, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(
        "from functools import partial\n"
        "from runkit.cli import run_program\n"
        "from runkit.config import Config\n"
        "from runkit.mpi import launch\n"
        "class Case(Config):\n"
        "    seed: int = 1\n"
        "def generate(world, case):\n"
        "    print(world.size, case.seed, flush=True)\n"
        "run_program('program', Case, run=partial(launch, generate), show=lambda case: print('shown'))\n"
    )
    done = mpiexec(3, path, "sed=2", timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: command line: unknown key 'sed'; did you mean 'seed'?\n"
    assert mpiexec(3, path, "show", timeout=30).stdout == "shown\n"
    ran = mpiexec(2, path, "seed=5", timeout=30).stdout
    assert sorted(ran.replace("\n", "").replace(" ", "")) == list("2255")  # two lines, perhaps interleaved
