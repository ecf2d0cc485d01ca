"""What surrounds a program and is not as usual: file systems without locks, encodings, readers that leave."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from runkit.cli import run_program
from runkit.config import load
from runkit.dataset.contracts.flow import FLOW
from runkit.dataset.schema import COMPLETE
from runkit.dataset.writer import Writer
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.conftest import clean_environment
from tests.flow_factory import write_flow
from tests.real.test_file_faults import content


@pytest.fixture(scope="module")
def no_locks(tmp_path_factory) -> Path:
    """A library that takes the place of flock and fcntl."""
    library = tmp_path_factory.mktemp("shim") / "no_locks.so"
    source = Path(__file__).with_name("no_locks.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, timeout=60)
    return library


WRITE = "import sys; from tests.flow_factory import write_flow; write_flow(sys.argv[1], n_cases=1)"


@pytest.mark.parametrize("number", [37, 95, 524, 5, 22, 38])
def test_a_file_system_without_locks_is_told_and_written_to(number, no_locks, tmp_path):
    environment = clean_environment() | {"LD_PRELOAD": str(no_locks), "NO_LOCKS": str(number)}
    if number in (22, 37):
        environment["HDF5_USE_FILE_LOCKING"] = "FALSE"
    command = [sys.executable, "-c", WRITE, tmp_path / "a.h5"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr.count("\n") == 1 and "no locks" in done.stderr, done.stderr
    assert content(tmp_path / "a.h5") == content(write_flow(tmp_path / "b.h5", n_cases=1))


def test_a_lock_that_is_held_is_still_respected(tmp_path):
    sizes = {"case": 1, "time": 1, "x": 4, "y": 4, "force_time": 1, "body": 1, "point": 1}
    with Writer.open(SerialWorld(), tmp_path / "a.h5", FLOW, sizes, {"config": {}}) as file:
        with pytest.raises(UserError, match="is being written by another run"):
            Writer.open(SerialWorld(), tmp_path / "a.h5", FLOW, sizes, {"config": {}})
        file.mark("computed", 0, COMPLETE)


def run(*words: str | Path, **keys: Any) -> subprocess.CompletedProcess[bytes]:
    environment = clean_environment() | keys.pop("env", {})
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, timeout=60, **keys)


@pytest.mark.parametrize(("module", "encoding"), [("mdgen", "latin-1"), ("tools.export_extxyz", "ascii")])
def test_help_is_printed_in_every_encoding(module, encoding):
    done = run("-m", module, "--help", env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 0 and b"usage" in done.stdout and done.stderr == b""


def test_a_reader_that_leaves_ends_a_program_without_a_word(tmp_path):
    command = [sys.executable, "-m", "mdgen", "show"]
    process = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    _, told = process.communicate(timeout=60)
    assert told == b"" and process.returncode == 141


def test_too_few_open_files_are_one_line(capsys):
    """Whoever says so, here gloo; any other error of a library stays what it is."""

    def run_out(_):
        raise RuntimeError("[enforce fail at socket.cc:24] rv != -1. socket: Too many open files")

    def fail(_):
        raise RuntimeError("other")

    model = import_module("lbmgen.config").RunConfig
    with pytest.raises(SystemExit) as ended:
        run_program("lbmgen", model, run_out, arguments=[])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and told.startswith("error: too many open files (ulimit -n allows"), told
    with pytest.raises(RuntimeError, match="other"):
        run_program("lbmgen", model, fail, arguments=[])


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "case.toml").write_bytes(b'\xef\xbb\xbfseed = 3\noutput = "x.h5"\n')
    case = load(import_module("mdgen.config").RunConfig, tmp_path / "case.toml")
    assert case.seed == 3


def test_a_pipe_for_a_configuration_is_refused(tmp_path):
    os.mkfifo(tmp_path / "case.toml")
    with pytest.raises(UserError, match="is a pipe"):
        load(import_module("mdgen.config").RunConfig, tmp_path / "case.toml")


INTO_A_FILE = """
import os, sys
from runkit.cli import plain_streams
with plain_streams():
    file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
    print("a line")
    os.system("echo of a C library; echo of another >&2")
    assert file > 2, file
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_program_without_streams_runs_and_writes_no_words_into_its_files(closed, tmp_path):
    start = ("bash", "-c", f'exec "$@" {closed}', "bash", sys.executable)
    for words in (("-c", INTO_A_FILE, tmp_path / "file"), ("-m", "lbmgen", "show", "n_cases=1")):
        done = subprocess.run([*start, *words], env=clean_environment(), capture_output=True, timeout=60)
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert (tmp_path / "file").read_bytes() == b""


def test_threads_may_be_told_by_level_as_openmp_allows():
    pytest.importorskip("numexpr")
    assert run("-c", "import dtrain, numexpr", env={"OMP_NUM_THREADS": "4,2"}).returncode == 0
