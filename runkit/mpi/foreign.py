"""Variables of another MPI's launcher, at which the MPI library would end the program before it could say anything.

Open MPI's mpirun, and srun and flux with their PMIx plugins, set PMIX_NAMESPACE, also in shells that they start. MPICH
ends at it if it was built without PMIx ("unsupported PMI version PMIx"), and if its own mpiexec has started it within
such a shell ("found both env vars PMI_SIZE and PMIX_NAMESPACE").

Source: `check_MPIR_CVAR_PMI_VERSION` in src/util/mpir_pmi.c of MPICH.
"""

from __future__ import annotations

import os

_MARK, _PREFIX = "PMIX_NAMESPACE", "PMIX_"


def forget_variables(library: str) -> None:
    """Take those away at which the MPI `library`, as it describes itself, would end; before MPI_Init."""
    if os.environ.get(_MARK) and ends_at_pmix(library, by_hydra=bool(os.environ.get("PMI_SIZE"))):
        for name in [name for name in os.environ if name.startswith(_PREFIX)]:
            del os.environ[name]


def ends_at_pmix(library: str, by_hydra: bool) -> bool:
    """Whether the MPI `library`, by what it says of itself, ends at PMIX_NAMESPACE."""
    return library.startswith("MPICH Version") and (by_hydra or "pmix" not in library.lower())
