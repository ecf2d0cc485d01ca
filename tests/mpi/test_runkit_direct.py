"""Whether messages may be arrays of a GPU is found out by a process apart: whatever it does, the run goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

DIRECT = Path(__file__).with_name("direct.py")
HOST = "messages: through pinned host memory"
FOUND = {
    "right": ["messages: device buffers (tried)", "True"],
    "mute": ["messages: device buffers (tried)", "True"],
    "refused": [f"{HOST} (the MPI library says that it takes no device buffers)", "False"],
    "crash": [f"{HOST} (a trial of device buffers ended with SIGSEGV)", "False"],
    "hang": [f"{HOST} (a trial of device buffers took more than 2 s)", "False"],
    "wrong": [
        f"{HOST} (a trial of device buffers ended with exit 1: rank 0 did not get the 8192 bytes that rank 0 sent)",
        "False",
    ],
    "ring": [
        "messages: device buffers (tried)",
        f"{HOST} (rank 0 did not get the 8192 bytes that rank 1 sent)",
        "False",
    ],
}


@pytest.mark.parametrize("way", FOUND)
def test_device_buffers_are_taken_if_they_have_been_seen_to_arrive(mpiexec, way):
    began = time.monotonic()
    done = mpiexec(2, DIRECT, way)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == FOUND[way]
    assert time.monotonic() - began < 60  # what hangs is not waited for


@pytest.mark.parametrize(("wanted", "way", "found"), [("device", "crash", "True"), ("host", "right", "False")])
def test_the_environment_forces_either_way_untried(mpiexec, wanted, way, found):
    done = mpiexec(2, DIRECT, way, env={"GLASSFLOW_MESSAGES": wanted})
    (line, told) = done.stdout.splitlines()
    assert line.endswith(f"(GLASSFLOW_MESSAGES = {wanted})") and told == found


def test_a_way_that_is_none_is_refused(mpiexec):
    done = mpiexec(2, DIRECT, "right", env={"GLASSFLOW_MESSAGES": "fast"})
    assert done.returncode == 2
    expected = "GLASSFLOW_MESSAGES = fast in the environment: must be one of auto, device, host"
    assert [line for line in done.stderr.splitlines() if line] == [f"error: {expected}"]
