"""A site file, a copy of the project's jobs, and stand-ins for the commands of each batch system."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).with_name("stand_ins.py")
OPEN_MPI = {"LAUNCH_FLAGS": "(-x PATH)", "PER_NODE_FLAG": "-npernode"}
SITES = {
    "slurm": {"SCHEDULER": "slurm", "ACCOUNT": "physics"},
    "pbs": {"SCHEDULER": "pbs", "ACCOUNT": "physics"} | OPEN_MPI | {"PER_NODE_FLAG": "'--map-by ppr:%d:node'"},
    "gridengine": {"SCHEDULER": "gridengine", "ACCOUNT": "physics", "PARALLEL_ENVIRONMENT": "mpi"} | OPEN_MPI,
    "pjm": {"SCHEDULER": "pjm", "ACCOUNT": "jh1"} | OPEN_MPI,
}
COMMANDS = {
    "slurm": ("sbatch", "srun", "squeue", "scancel"),
    "pbs": ("qsub", "mpirun", "mpiexec.hydra", "qstat", "qdel"),
    "gridengine": ("qsub", "mpirun", "qstat", "qdel"),
    "pjm": ("pjsub", "mpirun", "mpiexec", "pjstat", "pjdel"),
}


@pytest.fixture(params=SITES)
def scheduler(request) -> str:
    return request.param


@pytest.fixture
def site(tmp_path) -> Callable[..., Path]:
    """Write a site file with some settings changed: site("slurm", GENERATE_NODES="0") -> path."""

    def write(scheduler: str, **changed: str) -> Path:
        settings = SITES[scheduler] | {"PYTHON": "program"} | changed
        path = tmp_path / "site.env"
        example = (ROOT / "jobs" / "site.env.example").read_text()
        path.write_text(example + "".join(f"{name}={value}\n" for name, value in settings.items()))
        return path

    return write


@pytest.fixture
def copy(tmp_path) -> Path:
    """A folder with the project's jobs, so that what is submitted leaves no files here."""
    folder = tmp_path / "the project"
    folder.mkdir()
    subprocess.run(["cp", "-r", ROOT / "jobs", folder], check=True)
    return folder


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def commands(tmp_path) -> Callable[[str], dict[str, str]]:
    """commands("pbs") -> an environment with that batch system's commands; a submitted job runs at once.

    `program` stands for Python in jobs: it prints its rank and arguments, and ends in an error if one is "fail".
    """

    def make(scheduler: str) -> dict[str, str]:
        folder, kept = tmp_path / f"bin-{scheduler}", tmp_path / "kept"
        folder.mkdir(exist_ok=True)
        kept.mkdir(exist_ok=True)
        for name in COMMANDS[scheduler]:
            start = f'SCHEDULER_HERE={scheduler} exec {sys.executable} -Es {STAND_INS} {name} "$@"'
            executable(folder / name, f"#!/bin/bash\n{start}\n")
        executable(folder / "scontrol", f"#!/bin/bash\n[ \"$1 $2\" = 'show hostnames' ] && cat {kept}/hostnames\n")
        executable(
            folder / "program",
            '#!/bin/bash\n[[ "$2 $3" != *--version* && $2 != show ]] || exit 1\n'
            'echo "rank $PMI_RANK of $PMI_SIZE at ${MASTER_ADDR-}:${MASTER_PORT-}"; printf "<%s>\\n" "$@"\n'
            '[[ " $* " != *" fail "* ]]\n',
        )
        return {"PATH": f"{folder}:{os.environ['PATH']}", "STAND_INS": str(kept), "TMPDIR": str(tmp_path)}

    return make


def submit(*arguments: str | Path, root: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    environment = os.environ | (env or {})
    return subprocess.run(
        [root / "jobs" / "submit", *arguments], capture_output=True, text=True, env=environment, timeout=120
    )


@pytest.fixture(name="submit")
def submit_command():
    return submit
