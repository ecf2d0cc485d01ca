"""A site file, a copy of the project's jobs, and stand-ins for the commands of each batch system."""

from __future__ import annotations

import getpass
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
    "slurm": ("sbatch", "srun", "squeue", "scancel", "scontrol"),
    "pbs": ("qsub", "mpirun", "mpiexec.hydra", "qstat", "qdel", "qalter"),
    "gridengine": ("qsub", "mpirun", "qstat", "qdel"),
    "pjm": ("pjsub", "mpirun", "mpiexec", "pjstat", "pjdel"),
}


PROGRAM = """#!/bin/bash
[[ "$2 $3" != *--help* && $2 != show ]] || exit 1
echo "rank $PMI_RANK of $PMI_SIZE at ${MASTER_ADDR-}:${MASTER_PORT-}"; printf "<%s>\\n" "$@"
if [[ " $* " =~ " "(warn|delete|overrun|early|broken)" " && ! -e $STAND_INS/warned ]]; then
    touch "$STAND_INS/warned"
    trap 'echo 5 >"$UNFINISHED_NOTE"; echo was warned; exit 75' USR1 TERM
    [[ " $* " != *" early "* ]] || trap - USR1 TERM
    [[ " $* " != *" broken "* ]] || trap 'exit 1' USR1
    id=${SLURM_JOB_ID-}${PBS_JOBID-}${JOB_ID-}${PJM_JOBID-}
    case ${BASH_REMATCH[1]} in
        warn | early | broken) kill -USR1 $(($(ps -o ppid= -p "$PPID"))) ;;
        delete) "$(compgen -c | grep -m 1 -E '^(scancel|qdel|pjdel)$')" "$id" ;;
        overrun) time-is-over "$id" ;;
    esac
    for i in {1..100}; do sleep 0.1; done
    exit 1
fi
if [[ " $* " =~ " unfinished="([0-9]+) && $PMI_RANK = 0 ]]; then
    echo x >>"$STAND_INS/tries${SLURM_ARRAY_TASK_ID-}"
    if (($(wc -l <"$STAND_INS/tries${SLURM_ARRAY_TASK_ID-}") <= BASH_REMATCH[1])); then
        [[ " $* " == *" stuck "* ]] || echo 7 >"$UNFINISHED_NOTE"
        [[ " $* " != *" cancelled "* ]] || touch "$JOB_SCRIPT.cancelled"
        exit 75
    fi
fi
[[ " $* " != *" fail "* ]]
"""


def estimating(folder: Path, time: str) -> Path:
    """A program in the place of Python, whose generators need 2.1 GB per rank and so much time, by their `show`."""
    show = f"# memory     about 2.1 GB per rank\\n# cost       3e9 steps, about {time} on these ranks\\n"
    return executable(folder / "program", f'#!/bin/bash\n[ "$3" != show ] || printf "{show}"\n')


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


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def commands(tmp_path) -> Callable[[str], dict[str, str]]:
    """commands("pbs") -> an environment with that batch system's commands; a submitted job runs at once.

    `program` stands for Python in jobs: it prints its rank and arguments, and ends in an error if one is "fail". With
    "unfinished=N" it is unfinished N times, and keeps something each time, unless another word is "stuck"; with
    "cancelled" it leaves what a job finds that was cancelled from here. With "warn" it sends its job a warning, with
    "delete" it deletes it by the scheduler's own command, with "overrun" it has the time of the job be over: once, and
    it is unfinished if a signal comes back to it. With "early" that signal kills it, with "broken" it fails at it.
    """

    def make(scheduler: str) -> dict[str, str]:
        folder, kept = tmp_path / f"bin-{scheduler}", tmp_path / "kept"
        folder.mkdir(exist_ok=True)
        kept.mkdir(exist_ok=True)
        for name in (*COMMANDS[scheduler], "time-is-over"):
            start = f'SCHEDULER_HERE={scheduler} exec {sys.executable} -Es {STAND_INS} {name} "$@"'
            executable(folder / name, f"#!/bin/bash\n{start}\n")
        executable(folder / "program", PROGRAM)
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


TWO_NODES = {"GENERATE_NODES": "2", "GENERATE_TASKS_PER_NODE": "2", "TRAIN_NODES": "2", "TRAIN_TASKS_PER_NODE": "2"}


@pytest.fixture
def run(scheduler, site, commands, copy, submit, monkeypatch):
    """run(*words, **settings of the site) -> (submit's result, text of all logs)."""
    monkeypatch.setenv("NODES", "2")

    def submitted(*words: str, more: str = "", **changed: str):
        path = site(scheduler, **TWO_NODES | changed)
        path.write_text(path.read_text() + more)
        done = submit("--site", path, *words, root=copy, env=commands(scheduler))
        logs = sorted((copy / "runs" / "jobs").glob("*[!a-z]log")) + sorted((copy / "runs" / "jobs").glob("*.o*"))
        return done, "".join(log.read_text() for log in logs)

    return submitted


def in_queue(scheduler: str, ident: str, name: str = "train", user: str = "") -> str:
    """A running job as the scheduler lists it, who cuts long names short."""
    user = user or getpass.getuser()
    return {
        "slurm": f"{ident} RUNNING {name} {user}\n",
        "pbs": f"{ident}.pbs {name} {user} 0 R q\n",
        "pjm": f"{ident} {name} NM RUN {user}\n",
        "gridengine": f"{ident} 0.5 {name[:10]} {user} r 11/27\n",
    }[scheduler]
