"""What a job meets on the stand-in of a batch system: it is run, its launchers start ranks, it is listed and ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stand_in_options import parse, refuse

KEPT = Path(os.environ["STAND_INS"])
RERUN = 99  # exit code by which a job of Grid Engine asks to be run again


def run(ident: str, script: Path, folder: str, log: Callable[[int], str], variables: list[dict[str, str]]) -> None:
    """Run the job, once per set of variables, with nothing else in its environment but what a login gives.

    It runs again if it has asked for that (`scontrol requeue` in Slurm), or said so by its exit code (Grid Engine).
    """
    codes = []
    for index, given in enumerate(variables):
        path = Path(log(index))
        if not path.parent.is_dir():
            refuse(f"no folder for the log {path}")
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "STAND_INS", "TMPDIR")} | given
        code, n_restarts = None, 0
        while code is None or is_to_run_again(given, code):
            if code is not None and "SLURM_RESTART_COUNT" in environment:
                n_restarts += 1
                environment["SLURM_RESTART_COUNT"] = str(n_restarts)
            with path.open("a") as out:
                words = ["/bin/bash", str(script.resolve())]
                job = subprocess.Popen(
                    words, cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True
                )
                (KEPT / f"running-{number_in(ident)}").write_text(str(job.pid))
                code = job.wait()
        codes.append(str(code))
    (KEPT / "jobs" / ident).write_text(" ".join(codes))


def is_to_run_again(given: dict[str, str], code: int) -> bool:
    asked = KEPT / f"requeue-{given.get('SLURM_JOB_ID')}"
    if asked.exists():
        asked.unlink()
        return True
    return "NSLOTS" in given and code == RERUN and not (KEPT / "deleted").exists()


def number_in(ident: str) -> str:
    return re.findall(r"\d+", ident)[0]


def start(ranks: int, command: list[str]) -> None:
    """One rank after another; SIGUSR1 and SIGTERM are passed on to the present one."""
    for rank in range(ranks):
        launched = {"PMI_RANK": str(rank), "PMI_SIZE": str(ranks)}
        process = subprocess.Popen(command, env=os.environ | launched)

        def pass_on(number: int, _: object, process: subprocess.Popen[bytes] = process) -> None:
            process.send_signal(number)

        signal.signal(signal.SIGUSR1, pass_on)
        signal.signal(signal.SIGTERM, pass_on)
        code = process.wait()
        if code:
            sys.exit(code if code > 0 else 128 - code)


def srun(words: list[str]) -> None:
    known = {"--ntasks": r"\d+", "--kill-on-bad-exit": "0|1", "--mpi": r"\w+"}
    found, command = parse(words, known)
    print("srun", *words, flush=True)
    start(int(dict(found).get("--ntasks", os.environ["SLURM_NTASKS"])), command)


def mpirun(words: list[str]) -> None:
    known = {
        **{"-np": r"\d+", "-npernode": r"\d+", "-ppn": r"\d+", "-machinefile": r"\S+", "-x": r"\w+"},
        **{"-bind-to": "none|core", "--map-by": r"ppr:\d+:node"},
    }
    found, command = parse(words, known)
    options = dict(found)
    if "-x" in options and "OMPI_MCA_mca_base_env_list" in os.environ:
        refuse("-x contradicts OMPI_MCA_mca_base_env_list")
    if "-machinefile" in options and not Path(options["-machinefile"]).is_file():
        refuse(f"no machine file {options['-machinefile']}")
    print(sys.argv[1], *words, flush=True)
    start(int(options["-np"]), command)


def listing(words: list[str]) -> None:
    """squeue, qstat, pjstat: of the jobs in $STAND_INS/queued, a line each that begins as the real one's does.

    `qstat -f ID` of PBS tells all of one job, lines cut as it cuts them.
    """
    if words[:1] == ["-f"]:
        end = " and terminated by me@login1.center" if (KEPT / "deleted").exists() else ""
        comment = f"    comment = Job run at Fri Nov 27 at 09:00 on (node07:ncpus=1){end}"
        print(f"Job Id: {words[1]}\n    Job_Name = train\n" + "\n\t".join(re.findall(".{1,78}", comment)))
        return
    queued = KEPT / "queued"
    print(queued.read_text() if queued.exists() else "", end="")


# What each sends to all processes of a job that is deleted, or whose time is over, long before SIGKILL.
LAST = {"slurm": signal.SIGTERM, "pbs": signal.SIGTERM, "gridengine": signal.SIGUSR2, "pjm": signal.SIGTERM}


def deleting(words: list[str]) -> None:
    """scancel, qdel, pjdel."""
    print(sys.argv[1], *words)
    if (KEPT / f"running-{number_in(words[0])}").exists():
        (KEPT / "deleted").touch()
        time_is_over(words)


def time_is_over(words: list[str]) -> None:
    """What comes at the end of a job's time, by its ID."""
    number = LAST[os.environ["SCHEDULER_HERE"]]
    signal.signal(number, signal.SIG_IGN)  # this process may be one of the job's
    with suppress(ProcessLookupError):
        os.killpg(int((KEPT / f"running-{number_in(words[0])}").read_text()), number)


def scontrol(words: list[str]) -> None:
    if words[:2] == ["show", "hostnames"]:
        print((KEPT / "hostnames").read_text(), end="")
    elif words == ["show", "job", os.environ["SLURM_JOB_ID"]]:
        state = "CANCELLED" if (KEPT / "deleted").exists() else "RUNNING"
        print(f"JobId={words[2]} JobName=job\n   JobState={state} Reason=None Dependency=(null)")
    elif len(words) == 2 and words[0] == "requeue" and words[1] == os.environ["SLURM_JOB_ID"]:
        (KEPT / f"requeue-{words[1]}").touch()
    else:
        refuse(f"invalid entity: {words}")


def qalter(words: list[str]) -> None:
    found, rest = parse(words, {"-W": r"depend=afterany(:\d+(\[\])?)+"})
    if not found or len(rest) != 1:
        refuse("one job and its dependencies are wanted")
    with (KEPT / "altered").open("a") as file:
        file.write(f"{rest[0]} {found[0][1]}\n")
