"""How MPI is started, so that it neither waits for ever nor leaves anything behind.

MPI_Init comes back once all processes of the launch are there, and waits for ever for one that does not come: its host
may be out of reach of the launcher. mpi4py holds the lock of the interpreter meanwhile, so that no thread could end the
wait; here MPI_Init is called through ctypes, which does not.

MPICH names its shared memory by the number of a lone process, or by job and step, and a process that is killed leaves
it. A later one of the same name takes it for that of its own launch, and waits for ever if it is half made. So the name
is removed before and after: the memory stays until its last process has ended.

Source: https://mpi4py.readthedocs.io/en/stable/mpi4py.html (mpi4py.rc); src/mpid/ch4/shm/posix/posix_init.c of MPICH.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from runkit.errors import UNFINISHED, UserError, complain
from runkit.launcher import abort_launch, this_launch
from runkit.mpi.foreign import forget_variables
from runkit.mpi.library import load, symbols
from runkit.mpi.room import SHARED

SECONDS = "GLASSFLOW_START_SECONDS"  # for which a process waits for those that were started with it; 0: for ever
DEFAULT_SECONDS = 600
_NAMES = re.compile(rf"{SHARED}/mpich_shm_\S+")


def world_communicator() -> Any:
    """The communicator of all processes of this launch, once they are there. Raises what importing mpi4py raises."""
    MPI = load()
    if MPI.Is_initialized():  # by who uses this package
        return MPI.COMM_WORLD
    forget_variables(MPI.Get_library_version())
    _remove(f"{SHARED}/mpich_shm_{os.getpid():x}_0")
    provided = ctypes.c_int()
    with in_time():
        code = symbols().MPI_Init_thread(None, None, MPI.THREAD_MULTIPLE, ctypes.byref(provided))
    if code:
        raise RuntimeError(f"MPI_Init_thread fails with code {code}")
    for communicator in (MPI.COMM_WORLD, MPI.COMM_SELF):
        communicator.Set_errhandler(MPI.ERRORS_RETURN)  # mpi4py raises exceptions then
    with suppress(OSError):
        _remove(*_NAMES.findall(Path("/proc/self/maps").read_text()))
    return MPI.COMM_WORLD


@contextmanager
def in_time() -> Iterator[None]:
    """End this process, with one line and code UNFINISHED, unless what is inside is over in GLASSFLOW_START_SECONDS.

    For what waits for processes of the launch before their hosts are watched (`runkit.watch`). Raises UserError if the
    setting is no such number.
    """
    seconds = _seconds()
    over = threading.Event()

    def wait() -> None:
        rank = this_launch().rank
        if seconds and not over.wait(seconds + min(rank, 1)):  # rank 0 speaks alone if it can
            _give_up(rank, seconds)

    threading.Thread(target=wait, name="start", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _give_up(rank: int, seconds: int) -> None:
    waited = f"rank {rank} has waited {seconds} s for the other processes of its launch"
    complain(f"{socket.gethostname()}: {waited}: see whether all hosts reach one another ({SECONDS} sets the time)")
    abort_launch(UNFINISHED)
    os._exit(UNFINISHED)


def _seconds() -> int:
    text = os.environ.get(SECONDS, "") or str(DEFAULT_SECONDS)
    if text.isdecimal() and int(text) <= 100_000:
        return int(text)
    raise UserError(f"{SECONDS} = {text!r} is not allowed; allowed: up to 100000 seconds, or 0: for ever")


def _remove(*names: str) -> None:
    for name in names:
        with suppress(OSError):  # another rank was first, or it is another user's
            os.unlink(name)
