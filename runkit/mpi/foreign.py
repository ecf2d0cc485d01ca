"""Variables of another MPI's launcher, at which the MPI library would end the program before it could say anything.

Open MPI's mpirun, and srun and flux with their PMIx plugins, set PMIX_NAMESPACE, also in shells that they start. MPICH
ends at it if it was built without PMIx ("unsupported PMI version PMIx"), and if its own mpiexec has started it within
such a shell ("found both env vars PMI_SIZE and PMIX_NAMESPACE").

Source: `check_MPIR_CVAR_PMI_VERSION` in src/util/mpir_pmi.c of MPICH.
"""

from __future__ import annotations

import os
import sys
import warnings

_MARK, _PREFIX = "PMIX_NAMESPACE", "PMIX_"


def start_mpi() -> None:
    """Initialise MPI, without the variables that it would end at; what importing mpi4py raises if there is none.

    mpi4py's own warning of another launcher's variables is left out: `connect` says what they mean.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "suspicious MPI execution environment", RuntimeWarning)
        if os.environ.get(_MARK) and "mpi4py.MPI" not in sys.modules:
            _start_without_pmix()
        from mpi4py import MPI  # noqa: F401  (the import initialises it)


def _start_without_pmix() -> None:
    """The library is asked what it is before it starts."""
    import mpi4py

    mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
    from mpi4py import MPI

    if ends_at_pmix(MPI.Get_library_version(), by_hydra=bool(os.environ.get("PMI_SIZE"))):
        for name in [name for name in os.environ if name.startswith(_PREFIX)]:
            del os.environ[name]
    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_MULTIPLE)


def ends_at_pmix(library: str, by_hydra: bool) -> bool:
    """Whether the MPI `library`, by what it says of itself, ends at PMIX_NAMESPACE."""
    return library.startswith("MPICH Version") and (by_hydra or "pmix" not in library.lower())
