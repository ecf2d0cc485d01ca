"""What the loaded MPI library is and can do."""

from __future__ import annotations

import ctypes
import warnings
from typing import Any

MPIX_GPU_SUPPORT_CUDA = 0  # of MPICH


def load() -> Any:
    """The module of mpi4py, which does not start MPI: `start` does. Raises what importing mpi4py raises.

    mpi4py's own warning of another launcher's variables is left out: `connect` says what they mean.
    """
    import mpi4py

    mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "suspicious MPI execution environment", RuntimeWarning)
        from mpi4py import MPI

    return MPI


def library_version() -> str:
    """Name and version; MPI need not have been started."""
    version: str = load().Get_library_version()
    return version.splitlines()[0].strip("\0 ")


def native_calls() -> tuple[int, int, int, int]:
    """Where MPI_Startall and MPI_Waitall lie, and how many bytes a request and a status have."""
    from mpi4py import MPI

    library = symbols()
    calls = library.MPI_Startall, library.MPI_Waitall
    startall, waitall = (ctypes.cast(call, ctypes.c_void_p).value or 0 for call in calls)
    return startall, waitall, MPI._sizeof(MPI.Request), MPI._sizeof(MPI.Status)


def symbols() -> ctypes.CDLL:
    """The symbols of mpi4py, and those of the MPI library that it is linked to."""
    from mpi4py import MPI

    return ctypes.CDLL(MPI.__file__)


def says_cuda_aware() -> bool | None:
    """Whether the loaded library reports that it takes device buffers; None for one that has no such function.

    Open MPI and MPICH have it. The report is about how the library was built: `direct.py` tries.
    """
    library = symbols()
    if hasattr(library, "MPIX_Query_cuda_support"):
        return bool(library.MPIX_Query_cuda_support())
    if hasattr(library, "MPIX_GPU_query_support"):
        answer = ctypes.c_int(0)
        failed = library.MPIX_GPU_query_support(ctypes.c_int(MPIX_GPU_SUPPORT_CUDA), ctypes.byref(answer))
        return None if failed else bool(answer.value)
    return None
