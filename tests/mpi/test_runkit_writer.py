"""Several ranks fill one file: the same bytes for any number of ranks, either driver and any number of deaths."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from runkit.dataset.check import check
from tests.ensemble import open_writer, raw, whole_file

FILL = Path(__file__).with_name("fill.py")
METHODS = {"mpio": "MPI-IO", "posix": "plain writes at known offsets"}
DRIVERS = list(METHODS) if h5py.get_config().mpi else ["posix"]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bytes that one process without MPI writes."""
    return raw(whole_file(tmp_path_factory.mktemp("expected") / "a.h5"))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_any_number_of_ranks_writes_the_same_bytes(mpiexec, tmp_path, expected, n, driver):
    done = mpiexec(n, FILL, "a.h5", driver)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"new, {METHODS[driver]}\n"
    assert raw(tmp_path / "a.h5") == expected and check(tmp_path / "a.h5").good
    assert not (tmp_path / "a.h5.part").exists()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("n", "deaths"), [(2, ["0:0"]), (2, ["1:2"]), (3, ["2:1"]), (3, ["0:1", "1:1", "2:1"])])
def test_a_kill_leaves_a_readable_file_that_is_finished_to_the_same_bytes(
    mpiexec, tmp_path, expected, driver, n, deaths
):
    assert mpiexec(n, FILL, "a.h5", driver, *deaths, timeout=60).returncode != 0
    part = tmp_path / "a.h5.part"
    assert check(part).good
    assert not (tmp_path / "a.h5").exists()
    done = mpiexec(5 - n, FILL, "a.h5", driver)
    last = done.stdout.splitlines()[-1]  # after that of verified units, if any was over
    assert done.returncode == 0 and last.startswith("resumed, "), done.stderr
    assert raw(tmp_path / "a.h5") == expected and not part.exists()


def test_kill_after_kill_comes_to_the_same_end(mpiexec, tmp_path, expected):
    for n, death in ((2, "1:0"), (3, "0:1"), (1, "0:2")):
        assert mpiexec(n, FILL, "a.h5", "auto", death, timeout=60).returncode != 0
    assert mpiexec(2, FILL, "a.h5", "posix").returncode == 0
    assert raw(tmp_path / "a.h5") == expected


def test_a_complete_file_is_left_alone(mpiexec, tmp_path):
    path = whole_file(tmp_path / "a.h5")
    before = path.stat().st_mtime_ns
    done = mpiexec(2, FILL, "a.h5", "auto")
    assert done.returncode == 0 and done.stdout.startswith("finished") and path.stat().st_mtime_ns == before


def test_refusals_of_root_end_all_ranks_with_one_line(mpiexec, tmp_path):
    with open_writer(tmp_path / "a.h5"):
        done = mpiexec(2, FILL, "a.h5", "auto")
    assert done.returncode == 2 and done.stderr.count("is being written by another run") == 1
    done = mpiexec(2, FILL, "none/a.h5", "auto")
    assert done.returncode == 2 and done.stderr.count("does not exist") == 1 and "Traceback" not in done.stderr
