"""What the launcher of parallel processes says about this process, without touching MPI or torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

# (name, rank, size, all variables that must be there). srun exports its allocation to plain processes too, so only a
# job step counts.
_MPI_LAUNCHERS = (
    ("mpiexec", "PMI_RANK", "PMI_SIZE", ()),
    ("mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", ()),
    ("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", ("SLURM_STEP_ID",)),
)
# What launchers tell their processes of the job, by the beginning of its name. Settings of a library (MPIR_CVAR_*,
# OMPI_MCA_pml, MV2_USE_CUDA, MPICH_*) are not among it.
_JOB = (
    *("PMI_", "PMI2_", "PMIX_", "PRTE_", "HYDRA_", "HYDI_", "MPI_LOCAL", "MPIR_PROCTABLE", "MPIEXEC_", "MPISPAWN_"),
    *("MV2_COMM_WORLD_", "OMPI_COMM_WORLD_", "OMPI_UNIVERSE_", "OMPI_APP_CTX", "OMPI_NUM_APP_CTX", "OMPI_FIRST_RANKS"),
    *("OMPI_FILE_LOCATION", "OMPI_COMMAND", "OMPI_ARGV", "OMPI_MCA_ess", "OMPI_MCA_orte_", "OMPI_MCA_pmix"),
    *("SLURM_", "PALS_", "ALPS_", "FLUX_", "JSM_"),
)
_TORCH_LAUNCHERS = (("torchrun", "RANK", "WORLD_SIZE", ()),)


@dataclass(frozen=True)
class Launch:
    """This process among those that were started together."""

    launcher: str
    rank: int
    size: int


def mpi_launch() -> Launch | None:
    """How an MPI launcher started this process; None if none did."""
    return _find(_MPI_LAUNCHERS)


def this_launch() -> Launch:
    """How any launcher started this process; rank 0 of 1 if none did."""
    return _find(_TORCH_LAUNCHERS + _MPI_LAUNCHERS) or Launch("", 0, 1)


def alone(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what launchers of MPI have put there: a process that gets it is one rank by itself."""
    return {name: value for name, value in environment.items() if not name.startswith(_JOB)}


def _find(launchers: tuple[tuple[str, str, str, tuple[str, ...]], ...]) -> Launch | None:
    for name, rank, size, needed in launchers:
        if all(os.environ.get(variable, "") for variable in (rank, size, *needed)):
            return Launch(name, int(os.environ[rank]), int(os.environ[size]))
    return None
