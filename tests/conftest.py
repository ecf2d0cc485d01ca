"""Fixtures for all tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runkit.launcher import alone

ROOT = Path(__file__).parents[1]
# Open MPI refuses root and more ranks than cores unless told otherwise; MPICH should yield when ranks share a core.
_FOR_ANY_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}


def pytest_configure() -> None:
    """Shells have programs in the background ignore interrupts, and all that these start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Mpiexec:
    """Runs this Python on several ranks: `mpiexec(3, "-m", "mdgen", "seed=1")` -> CompletedProcess with texts."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[subprocess.Popen[str]] = []

    def __call__(
        self, n: int, *arguments: str | Path, timeout: float = 240, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Wait for the end; a launch that exceeds `timeout` seconds is killed and fails the test."""
        process = self.start(n, *arguments, env=env)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            out, err = self.kill(process)
            pytest.fail(f"no end within {timeout} s on {n} ranks: {arguments}\n{out}\n{err}")
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, n: int, *arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start and go on; what is left at the end of the test is killed."""
        process = subprocess.Popen(
            [_launcher(), "-n", str(n), sys.executable, *map(str, arguments)],
            cwd=self.directory,
            env=clean_environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def kill(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """End the launcher, which ends its ranks; the last words of both streams."""
        process.send_signal(signal.SIGTERM)
        try:
            return process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            if process.poll() is None:
                self.kill(process)


def clean_environment() -> dict[str, str]:
    """This environment without traces of a launcher, with the project importable."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return alone(os.environ) | _FOR_ANY_MPI | {"PYTHONPATH": path}


def _launcher() -> str:
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    assert found, "mpiexec is neither beside this Python nor on the path"
    return found


@pytest.fixture
def mpiexec(tmp_path: Path) -> Iterator[Mpiexec]:
    """A launcher of ranks that work in `tmp_path`."""
    launcher = Mpiexec(tmp_path)
    yield launcher
    launcher.close()
