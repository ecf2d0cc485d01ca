"""What the loaded MPI library is and can do."""

from __future__ import annotations

import ctypes

MPIX_GPU_SUPPORT_CUDA = 0  # of MPICH


def library_version() -> str:
    """Name and version."""
    from mpi4py import MPI

    return MPI.Get_library_version().splitlines()[0].strip("\0 ")


def native_calls() -> tuple[int, int, int, int]:
    """Where MPI_Startall and MPI_Waitall lie, and how many bytes a request and a status have."""
    from mpi4py import MPI

    library = _symbols()
    calls = library.MPI_Startall, library.MPI_Waitall
    startall, waitall = (ctypes.cast(call, ctypes.c_void_p).value or 0 for call in calls)
    return startall, waitall, MPI._sizeof(MPI.Request), MPI._sizeof(MPI.Status)


def _symbols() -> ctypes.CDLL:
    """The symbols of mpi4py, and those of the MPI library that it is linked to."""
    from mpi4py import MPI

    return ctypes.CDLL(MPI.__file__)


def says_cuda_aware() -> bool | None:
    """Whether the loaded library reports that it takes device buffers; None for one that has no such function.

    Open MPI and MPICH have it. The report is about how the library was built: `direct.py` tries.
    """
    library = _symbols()
    if hasattr(library, "MPIX_Query_cuda_support"):
        return bool(library.MPIX_Query_cuda_support())
    if hasattr(library, "MPIX_GPU_query_support"):
        answer = ctypes.c_int(0)
        failed = library.MPIX_GPU_query_support(ctypes.c_int(MPIX_GPU_SUPPORT_CUDA), ctypes.byref(answer))
        return None if failed else bool(answer.value)
    return None
