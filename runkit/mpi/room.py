"""Whether MPI finds the room that it needs: where it does not, it ends a process by a signal, without a message."""

from __future__ import annotations

import os
import resource

from runkit.errors import UserError
from runkit.launcher import LOCAL_SIZE, local

# What MPICH lays down in shared memory per rank, and touches; Open MPI takes less.
PER_RANK = 1_200_000
SHARED = "/dev/shm"
FILES = 64  # sockets, pipes and libraries of a start


def require_room() -> None:
    """Raise UserError if shared memory is full, or limits are below what MPI needs to start."""
    here = local(LOCAL_SIZE, 1)
    need = here * PER_RANK
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit not in (resource.RLIM_INFINITY, -1) and limit < need:
        raise UserError(f"files may have {limit} bytes (ulimit -f); MPI needs {need} for {here} rank(s): raise it")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < FILES:
        raise UserError(f"{files} files may be open (ulimit -n); MPI needs {FILES}: raise it")
    try:
        room = os.statvfs(SHARED)
    except OSError:  # this system has its shared memory elsewhere
        return
    if (free := room.f_bavail * room.f_frsize) < need:
        raise UserError(f"{SHARED} is full: {free} bytes are free; MPI needs {need} for {here} rank(s): make room")
