"""A command in a process group of its own, with a limit: whatever it does, the caller goes on."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

SECONDS_TO_DIE = 10.0


class Ended(NamedTuple):
    """How it ended: exit code, negative for a signal, None if its time was up; seconds; standard output and error."""

    code: int | None
    seconds: float
    text: str

    @property
    def how(self) -> str:
        """For a reader: "exit 0", "SIGSEGV", "limit"."""
        if self.code is None:
            return "limit"
        return f"exit {self.code}" if self.code >= 0 else signal.Signals(-self.code).name


def run_apart(
    command: Sequence[str | Path], seconds: float, environment: Mapping[str, str] | None = None, most: int = 1 << 22
) -> Ended:
    """Run `command` for at most `seconds`, then kill it with all that it started; keep its last `most` bytes of output.

    Raises OSError if it cannot be started.
    """
    began = time.monotonic()
    with TemporaryFile() as said:
        process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        with suppress(OSError):  # it has ended already
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))  # a crash is an answer, not a file
        try:
            code: int | None = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # also what it has left running
            _kill(process.pid)
            with suppress(subprocess.TimeoutExpired):  # one that a driver does not let go cannot even be killed
                process.wait(timeout=SECONDS_TO_DIE)
        return Ended(code, time.monotonic() - began, _end_of(said, most))


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all of it is gone
        os.killpg(group, signal.SIGKILL)


def _end_of(file: IO[bytes], most: int) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - most))
    return file.read().decode(errors="replace")
