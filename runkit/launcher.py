"""Rank and size of this process according to its launcher, without touching MPI or torch.

Variables of a launcher may be left over from a login shell, or come from a launcher outside the one that counts. So a
launch is *sure* only if its launcher shows itself: it is among the processes above this one, or holds a connection to
it. Once MPI is connected, its own rank and size overrule them all (`runkit.mpi.connect`).

Source: the manuals of MPICH (Hydra, PMI-1), Open MPI, MVAPICH (mpirun_rsh), HPE PALS, Flux (flux-environment) and
Slurm (srun), and of torchrun and DeepSpeed.
"""

from __future__ import annotations

import math
import os
import stat
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from runkit.errors import UserError


class _Kind(NamedTuple):
    """A launcher: variables of rank and size (the first that is there), others that must be there, its processes."""

    name: str
    rank: str
    size: tuple[str, ...]
    needed: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()


_OPEN_MPI = ("orted", "prted", "prterun", "orterun", "mpirun", "mpiexec")
# Those inside come first: an allocation by Slurm or Flux starts the daemons of another launcher as its own tasks.
_MPI = (
    _Kind("mpirun", "OMPI_COMM_WORLD_RANK", ("OMPI_COMM_WORLD_SIZE",), (), _OPEN_MPI),
    _Kind("mpirun_rsh", "MV2_COMM_WORLD_RANK", ("MV2_COMM_WORLD_SIZE",), (), ("mpispawn", "mpirun_rsh")),
    _Kind("mpirun_rsh", "MVP_COMM_WORLD_RANK", ("MVP_COMM_WORLD_SIZE",), (), ("mpispawn", "mpirun_rsh")),
    _Kind("PALS", "PALS_RANKID", ("PALS_SIZE", "PMI_SIZE"), ("PALS_APID",), ("palsd", "mpiexec", "aprun")),
    _Kind("flux", "FLUX_TASK_RANK", ("FLUX_JOB_SIZE",), ("FLUX_JOB_ID",), ("flux-shell",)),
    _Kind("mpiexec", "PMI_RANK", ("PMI_SIZE",), (), ("hydra_pmi_proxy", "pmi_proxy", "mpiexec")),
    _Kind("srun", "SLURM_PROCID", ("SLURM_STEP_NUM_TASKS",), ("SLURM_STEP_ID",), ("slurmstepd",)),
)
_TORCH = _Kind("torchrun", "RANK", ("WORLD_SIZE",), (), ("torchrun", "torch.distributed", "deepspeed"))
LOCAL_RANK = (
    "LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "MVP_COMM_WORLD_LOCAL_RANK",
    "PALS_LOCAL_RANKID",
    "FLUX_TASK_LOCAL_ID",
    "MPI_LOCALRANKID",
    "SLURM_LOCALID",
)
LOCAL_SIZE = (
    "LOCAL_WORLD_SIZE",
    "LOCAL_SIZE",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
    "MV2_COMM_WORLD_LOCAL_SIZE",
    "MVP_COMM_WORLD_LOCAL_SIZE",
    "PALS_LOCAL_SIZE",
    "PMI_LOCAL_SIZE",
    "MPI_LOCALNRANKS",
)
# Variables that differ between two starts of a program.
_JOBS = (
    "TORCHELASTIC_RUN_ID",
    "PMIX_NAMESPACE",
    "PALS_APID",
    "FLUX_JOB_ID",
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
    "PBS_JOBID",
    "PJM_JOBID",
    "JOB_ID",
)
# Variables of the job that launchers set, by the beginning of the name. Settings of a library (MPIR_CVAR_*,
# OMPI_MCA_pml, MV2_USE_CUDA, MPICH_*) are not among it.
_JOB = (
    *("PMI_", "PMI2_", "PMIX_", "PRTE_", "HYDRA_", "HYDI_", "MPI_LOCAL", "MPIR_PROCTABLE", "MPIEXEC_", "MPISPAWN_"),
    *("MV2_COMM_WORLD_", "OMPI_COMM_WORLD_", "OMPI_UNIVERSE_", "OMPI_APP_CTX", "OMPI_NUM_APP_CTX", "OMPI_FIRST_RANKS"),
    *("OMPI_FILE_LOCATION", "OMPI_COMMAND", "OMPI_ARGV", "OMPI_MCA_ess", "OMPI_MCA_orte_", "OMPI_MCA_pmix"),
    *("SLURM_", "PALS_", "ALPS_", "FLUX_", "JSM_"),
)


@dataclass(frozen=True)
class Launch:
    """This process among those that were started together; `variables` are where its rank and size stand."""

    launcher: str
    rank: int
    size: int
    is_sure: bool = True
    variables: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        return f"{', '.join(self.variables)} = {self.rank}, {self.size}"


ALONE = Launch("", 0, 1)


def mpi_launch() -> Launch | None:
    """How an MPI launcher started this process, the nearest one that shows itself before others; None if none did."""
    found = [(_distance(kind), launch) for kind in _MPI if (launch := _launch(kind)) is not None]
    return min(found, key=itemgetter(0))[1] if found else None


def this_launch() -> Launch:
    """How an MPI launcher started this process; rank 0 of 1 if none did."""
    return mpi_launch() or ALONE


def planned_size() -> int:
    """Ranks for which a program that is about to show a plan should make it; a note if variables look left over.

    Without MPI nothing confirms them, so they count if their launcher shows itself. `PLANNED_RANKS` is how many there
    will be where none is there yet, as when a job is submitted.
    """
    if (planned := local(("PLANNED_RANKS",), 0)) > 0:
        return planned
    launch = this_launch()
    if launch.size == 1 or launch.is_sure:
        return launch.size
    message = f"{launch} in the environment looks left over: no {launch.launcher} is above this process"
    print(f"note: {message}; this plan is for one rank", file=sys.stderr, flush=True)
    return 1


def alone(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what launchers of MPI have put there: a process that gets it is one rank by itself."""
    return {name: value for name, value in environment.items() if not name.startswith(_JOB)}


def torch_launch() -> Launch:
    """How `torchrun`, `deepspeed` or an MPI launcher started this process; rank 0 of 1 if none did.

    Raises UserError if `RANK` and `WORLD_SIZE` make no sense, or contradict an MPI launcher that shows itself.
    """
    given, mpi = _launch(_TORCH), mpi_launch()
    if given is None:
        if os.environ.get("RANK") and os.environ.get("WORLD_SIZE"):
            message = f"RANK, WORLD_SIZE = {os.environ['RANK']}, {os.environ['WORLD_SIZE']}"
            raise UserError(f"{message}: whole numbers with 0 <= rank < size are needed, or neither of the two")
        return mpi or ALONE
    agrees = mpi is not None and (given.rank, given.size) == (mpi.rank, mpi.size)
    if given.size > 1 and not agrees and not (os.environ.get("MASTER_ADDR") and os.environ.get("MASTER_PORT")):
        raise UserError(f"{given}, but MASTER_ADDR and MASTER_PORT are not set: set these too, or unset those")
    if mpi is None or agrees or given.is_sure or not mpi.is_sure or mpi.size == 1:
        return replace(given, is_sure=True)
    if given.size == 1:
        return mpi
    raise UserError(f"{given}, but {mpi.launcher} says {mpi}; unset those that are left over")


def abort_launch(code: int) -> None:
    """Let Hydra end all processes with this exit code; for other launchers the exit of this process has to be enough.

    Hydra's mpiexec waits for ever for a host that has vanished, unless it gets an abort.
    """
    launched, connection = mpi_launch(), os.environ.get("PMI_FD", "")
    if launched is not None and launched.launcher == "mpiexec" and launched.is_sure and _is_socket(connection):
        with suppress(OSError):
            os.write(int(connection), f"cmd=abort exitcode={code}\n".encode())


def forget_lost_connection() -> Launch | None:
    """Forget a PMI connection that is not open, at which MPI would end this process; the launch that it was of."""
    lost = os.environ.get("PMI_FD")
    if not lost or _is_socket(lost):
        return None
    launch = next((launch for kind in _MPI if kind.rank == "PMI_RANK" and (launch := _launch(kind))), None)
    for name in ("PMI_FD", "PMI_RANK", "PMI_SIZE"):
        os.environ.pop(name, None)
    return launch


def local(names: Sequence[str], otherwise: int) -> int:
    """The first of these variables that is a whole number, or another number."""
    for name in names:
        with suppress(ValueError):
            return int(os.environ.get(name, ""))
    return otherwise


def job_token() -> str:
    """A text that all processes of a launch have in common, and those of another do not, found in the environment.

    On one node that is the launcher's own process; over several, the number of the job.
    """
    known = [f"{name}={os.environ[name]}" for name in _JOBS if os.environ.get(name)]
    n_here = local(LOCAL_SIZE, 0)
    if n_here and n_here == local(("WORLD_SIZE",), n_here):
        names = {name for kind in (*_MPI, _TORCH) for name in kind.processes}
        above = [process for process in _ancestors() if process.is_one_of(names)]
        known += [f"process={process.number}" for process in above[:1]]
    return " ".join(known)


def _launch(kind: _Kind) -> Launch | None:
    size = next((name for name in kind.size if os.environ.get(name)), "")
    if not all(os.environ.get(name) for name in (kind.rank, size, *kind.needed)):
        return None
    try:
        rank, n = int(os.environ[kind.rank]), int(os.environ[size])
    except ValueError:
        return None
    is_sure = _distance(kind) < math.inf
    return Launch(kind.name, rank, n, is_sure, (kind.rank, size)) if 0 <= rank < n else None


def _distance(kind: _Kind) -> float:
    """How many processes lie between a launcher and this one; infinite if it does not show itself."""
    for distance, process in enumerate(_ancestors()):
        if process.is_one_of(kind.processes):
            return distance
    is_connected = kind.rank == "PMI_RANK" and _is_socket(os.environ.get("PMI_FD", ""))
    return len(_ancestors()) if is_connected else math.inf


def _is_socket(descriptor: str) -> bool:
    with suppress(OSError, ValueError, OverflowError):
        return stat.S_ISSOCK(os.fstat(int(descriptor)).st_mode)
    return False


class _Process(NamedTuple):
    """A process: its number and start, which no other has, and the first words of its command."""

    number: str
    command: tuple[str, ...]

    def is_one_of(self, names: Collection[str]) -> bool:
        """Whether it runs a program of these names, such as mpiexec.hydra for mpiexec."""
        return any(word.startswith(tuple(names)) for word in self.command)


@cache
def _ancestors() -> tuple[_Process, ...]:
    """The processes above this one, the nearest first, as /proc shows them."""
    found: list[_Process] = []
    number = os.getppid()
    with suppress(OSError, ValueError, IndexError):
        while number > 1:
            folder = Path(f"/proc/{number}")
            words = (folder / "cmdline").read_bytes().split(b"\0")
            # Of a script the interpreter comes first: the name of the program is among the first words.
            command = tuple(os.path.basename(word.decode(errors="replace")) for word in words[:4])
            status = (folder / "stat").read_text(errors="replace")
            found.append(_Process(f"{number} since {status.rpartition(')')[2].split()[19]}", command))
            number = int(status.rpartition(")")[2].split()[1])
    return tuple(found)
