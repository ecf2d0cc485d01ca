"""A generator that has to end: whoever is warned and wherever, it ends in time, with code 75, and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from runkit.config import load
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from runkit.stop import NOTE, UNFINISHED
from tests.ensemble import raw
from tests.mpi.test_lbmgen import CASE as FLOW
from tests.mpi.test_mdgen import CASE as GLASS
from tests.stops import IN_TIME, Warned

# Checkpoints at intervals come too late for these: only those at a warning can bring them on.
CASES = {
    "mdgen": (*GLASS, "production.n_samples=2", "production.times=[0.05, 25.0]"),
    "lbmgen": (*FLOW, "n_cases=2", "grid.cells=[48, 32]", "frames.count=100", "frames.every=1000"),
}


def generate(program: str, path: Path, *settings: str) -> int:
    """Run a generator here, on one rank; its exit code."""
    case = load(import_module(f"{program}.config").RunConfig, None, [*CASES[program], *settings, f"output={path}"])
    code: int = import_module(f"{program}.run").generate(SerialWorld(), case)
    return code


@pytest.fixture(scope="module", params=CASES)
def whole(request, tmp_path_factory) -> tuple[str, dict[str, bytes]]:
    """A generator, and the data that it makes without interruption."""
    path = tmp_path_factory.mktemp("whole") / "whole.h5"
    assert generate(request.param, path) == 0
    return request.param, raw(path)


def begin(mpiexec, program: str, note: Path) -> subprocess.Popen[str]:
    """A run on two ranks that is at work."""
    process = mpiexec.start(2, "-m", program, *CASES[program], "output=run.h5", env={NOTE: str(note)})
    assert process.stdout is not None
    while not process.stdout.readline().startswith("kernels"):
        assert process.poll() is None
    time.sleep(1.0)
    return process


@pytest.mark.parametrize(
    ("whole", "number", "who"),
    [
        ("mdgen", signal.SIGTERM, "mpiexec"),
        ("mdgen", signal.SIGUSR2, "one"),
        ("lbmgen", signal.SIGUSR1, "mpiexec"),
        ("lbmgen", signal.SIGXCPU, "all"),
    ],
    indirect=["whole"],
)
def test_a_warned_generator_ends_in_time_and_loses_nothing(mpiexec, whole, number, who):
    """Whoever gets the signal: all ranks save and end with 75; going on, on other ranks, gives the same file."""
    program, expected = whole
    note = mpiexec.directory / "note"
    process = begin(mpiexec, program, note)
    launcher = psutil.Process(process.pid)
    children = [launcher] if who == "mpiexec" else launcher.children(recursive=True)
    warned = [child for child in children if who == "mpiexec" or "python" in child.exe()]
    assert len(warned) == {"mpiexec": 1}.get(who, 2)
    for one in warned[-1:] if who == "one" else warned:
        one.send_signal(number)
    began = time.monotonic()
    out, err = process.communicate(timeout=2 * IN_TIME)
    assert process.returncode == UNFINISHED, out + err
    assert time.monotonic() - began < IN_TIME
    assert f"unfinished: {number.name}" in out and err == ""
    assert int(note.read_text()) >= 0
    assert generate(program, mpiexec.directory / "run.h5") == 0
    assert raw(mpiexec.directory / "run.h5") == expected


def test_a_generator_that_is_ended_again_and_again_is_done_at_last(whole, tmp_path, monkeypatch):
    """However short a job is, it brings the work on: here each ends at the first place, or at a later one."""
    program, expected = whole
    monkeypatch.setenv(NOTE, str(tmp_path / "note"))
    warned, codes = Warned(monkeypatch), []
    while not codes or codes[-1] == UNFINISHED:
        warned.n_places = 3 + 6 * len(codes)
        codes.append(generate(program, tmp_path / "run.h5"))
        assert codes[-1] == 0 or int((tmp_path / "note").read_text()) > 0
        assert len(codes) < 40
    assert codes[-1] == 0 and len(codes) > 2
    assert raw(tmp_path / "run.h5") == expected


@pytest.mark.parametrize("program", CASES)
def test_a_generator_whose_time_is_over_says_so(program, tmp_path, capsys):
    assert generate(program, tmp_path / "run.h5", "minutes=1e-6") == UNFINISHED
    assert "unfinished: its 1e-06 minutes are over; 0 pieces of work were kept" in capsys.readouterr().out


def began_cases(part: Path) -> bool:
    """Whether both cases are described in the file, which comes right before their first step."""
    with suppress(UserError), Dataset(part, unfinished=True) as file:
        return all(file["description"][:2])
    return False


def test_a_place_that_is_not_reached_in_time_ends_the_run_all_the_same(mpiexec):
    """One step of a large domain takes longer than the grace: it is dropped, on all ranks."""
    case = ("grid.cells=[512, 512]", "obstacles.diameter=40", "frames.every=10000", "grace_seconds=1")
    process = mpiexec.start(2, "-m", "lbmgen", *case, "n_cases=2", "output=run.h5")
    while not began_cases(mpiexec.directory / "run.h5.part"):
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(1.0)
    psutil.Process(process.pid).send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == UNFINISHED, err
    assert time.monotonic() - began < 10 and "SIGTERM, and no checkpoint could be written in time" in err
