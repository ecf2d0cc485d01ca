"""Programs that run: forked from this process, which has done the imports, or started as a person would."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

import psutil

from runkit.launcher import alone

ROOT = Path(__file__).parents[2]
NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
FOR_MPI = {
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


class End(NamedTuple):
    """How a program ended; a code below 0 is the signal that killed it."""

    code: int
    out: str
    err: str


class Hung(Exception):
    """A program did not end in its time."""


class Launched:
    """A program that runs in `folder`, leader of a process group of its own."""

    def __init__(self, pid: int, folder: Path, process: subprocess.Popen[bytes] | None = None) -> None:
        self.pid, self.folder, self._process = pid, folder, process
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        if self._code is None and self._process is not None:
            self._code = self._process.poll()
        elif self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, seconds: float) -> End:
        """Wait for the end; raises Hung, after all its processes were killed."""
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                self.send(signal.SIGKILL)
                raise Hung
            time.sleep(0.02)
        self.send(signal.SIGKILL)  # ranks that outlive their launcher
        files = [self.folder / name for name in (".out", ".err")]  # absent if it was killed at its very begin
        message = [file.read_text(errors="replace") if file.exists() else "" for file in files]
        return End(code, *message)

    def during(self, seconds: float) -> bool:
        """Let it run for so long; whether it still runs."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.poll() is None

    def send(self, number: int) -> None:
        """A signal to all its processes."""
        for process in (self.pid, *(rank.pid for rank in self.below())):
            try:
                os.kill(process, number)
            except (ProcessLookupError, PermissionError):
                continue

    def below(self) -> list[psutil.Process]:
        """Processes that it has started, and theirs."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def ranks(self) -> list[int]:
        """Processes of the program under a launcher."""
        return sorted(process.pid for process in self.below() if _is_python(process))


def fork(
    main: Callable[[list[str]], None],
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    before: Callable[[], None] | None,
) -> Launched:
    """Call a program in a child of this process; `before` prepares what surrounds it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _be_child(main, words, folder, environment, before)
    return Launched(pid, folder)


def start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], before: Callable[[], None] | None = None
) -> Launched:
    """Start a command as a person would."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with open(folder / ".out", "wb") as out, open(folder / ".err", "wb") as err:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=alone(os.environ) | FOR_MPI | {"PYTHONPATH": path} | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=before,
        )
    return Launched(process.pid, folder, process)


def own_mounts(*mounts: tuple[str, str]) -> Callable[[], None]:
    """For a child: file systems in memory of given sizes over folders, which no other process sees."""

    def mount() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(NEW_MOUNTS):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        for folder, size in mounts:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
            fill(Path(folder))

    return mount


@contextmanager
def disk_of(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory of a size, in a new folder "disk" of a folder."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def remount(disk: Path, option: str) -> None:
    """Change such a file system: `size=50m`, or `ro`."""
    subprocess.run(["mount", "-o", f"remount,{option}", disk], check=True)


def fill(folder: Path) -> None:
    """Write a file until a disk is full."""
    with suppress(OSError), open(folder / "filler", "ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def _is_python(process: psutil.Process) -> bool:
    try:
        return "python" in process.name()
    except psutil.NoSuchProcess:
        return False


def _be_child(
    main: Callable[[list[str]], None],
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    before: Callable[[], None] | None,
) -> NoReturn:
    code = 0
    try:
        os.setsid()
        os.chdir(folder)
        for name, descriptor in ((".out", 1), (".err", 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(environment)
        tempfile.tempdir = None
        if before is not None:
            before()
        main(list(words))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                code = code or 1
        os._exit(code)
