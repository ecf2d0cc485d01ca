"""Stand-ins for the commands of batch systems, as strict about their documented syntax as these are.

Called as `python stand_ins.py COMMAND WORDS...`. A job runs at once, in the folder, with the shell and with only the
variables that the real system gives it; each launcher starts its command once per rank. $STAND_INS is a folder with
what they keep: jobs/ID holds the exit code of a job.

Sources: the manual pages of sbatch, qsub (PBS Professional 2022, Altair Grid Engine 8.6) and pjsub.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

from stand_in_jobs import KEPT, deleting, listing, mpirun, qalter, run, scontrol, srun, time_is_over
from stand_in_options import directives, parse, refuse, script_of

TIME = r"\d+:\d\d:\d\d"


def next_number() -> int:
    (KEPT / "jobs").mkdir(exist_ok=True)
    counter = KEPT / "counter"
    number = int(counter.read_text()) + 1 if counter.exists() else 1234567
    counter.write_text(str(number))
    return number


def succeeded(job: str) -> bool:
    """Whether a job ended well; refuses one that never was."""
    kept = KEPT / "jobs" / job
    if not kept.exists():
        refuse(f"unknown job {job}")
    return set(kept.read_text().split()) == {"0"}


def nodes_file(names: list[str], form: str = "{}\n", times: int = 1) -> str:
    path = KEPT / "nodes"
    path.write_text("".join(form.format(name) * times for name in names))
    return str(path)


def hosts(count: int) -> list[str]:
    return [f"node{7 + i:02}" for i in range(count)]


def indices(array: str | None) -> list[int | None]:
    if array is None:
        return [None]
    first, last = map(int, array.split("-"))
    return list(range(first, last + 1))


NUMBER = r"[1-9]\d*"
SLURM: dict[str, str | None] = {
    **dict.fromkeys(("--nodes", "--ntasks-per-node", "--cpus-per-task"), NUMBER),
    **dict.fromkeys(("--job-name", "--partition", "--account"), r"[\w.-]+"),
    **{"--output": r"\S+", "--open-mode": "append|truncate", "--requeue": None, "--time": TIME},
    **{"--gres": rf"gpu:{NUMBER}", "--dependency": r"afterok(:\d+)+", "--kill-on-invalid-dep": "yes|no"},
    **{"--array": r"\d+-\d+", "--signal": r"(B:)?USR[12](@\d{1,5})?"},
}


def sbatch(words: list[str]) -> None:
    found, rest = parse(words, SLURM)
    options, script, job = dict(found), script_of(rest), next_number()
    print(f"Submitted batch job {job}")
    if not all(succeeded(before) for before in options.get("--dependency", "afterok").split(":")[1:]):
        return
    nodes, tasks = int(options["--nodes"]), int(options["--ntasks-per-node"])
    (KEPT / "hostnames").write_text("\n".join(hosts(nodes)) + "\n")
    given = {
        "SLURM_JOB_ID": str(job),
        "SLURM_JOB_NODELIST": f"node[07-{6 + nodes:02}]",
        "SLURM_NTASKS": str(nodes * tasks),
        "SLURM_CPUS_PER_TASK": options.get("--cpus-per-task", ""),
        "SLURM_RESTART_COUNT": os.environ.get("RESTARTED", "0"),
    }
    each = [
        given if i is None else given | {"SLURM_JOB_ID": str(job + i), "SLURM_ARRAY_TASK_ID": str(i)}
        for i in indices(options.get("--array"))
    ]

    def log(at: int) -> str:
        name = options["--output"].replace("%x", options["--job-name"]).replace("%j", str(job)).replace("%A", str(job))
        return name.replace("%a", each[at].get("SLURM_ARRAY_TASK_ID", ""))

    run(str(job), script, ".", log, each)


CHUNK = r"[1-9]\d*(:(ncpus|mpiprocs|ompthreads|ngpus)=[1-9]\d*)*"
PBS: dict[str, str | None] = {
    **{"-N": r"[A-Za-z]\S{0,229}", "-S": r"/\S+", "-j": "oe|eo|n", "-o": r"\S+", "-r": "y|n", "-q": r"\w[\w-]*"},
    **{"-l": rf"select={CHUNK}|place=(scatter|pack|free)|walltime={TIME}", "-A": r"\S+", "-P": r"\S+"},
    **{
        "-W": r"group_list=\w+|depend=after(ok|any)(:\d+(\[\])?)+",
        "-J": r"\d+-\d+",
        "-v": r"\w+=\w+",
        "-k": "[oed]+",
    },
    "-V": None,
}


def qsub_of_pbs(words: list[str]) -> None:
    found, rest = parse(words, PBS)
    script = script_of(rest)
    found = directives(script, "#PBS ", PBS) + found
    options, of_l = dict(found), [value for name, value in found if name == "-l"]
    if "-V" in options and any(name.startswith("BASH_FUNC_") for name in os.environ):
        refuse("-V exports shell functions, which breaks Open MPI")
    if not any(value.startswith("select=") for value in of_l) or not any(
        value.startswith("walltime=") for value in of_l
    ):
        refuse("select and walltime must be asked for with -l")
    job = next_number()
    is_array = "-J" in options
    ident = f"{job}[]" if is_array else str(job)
    print(f"{ident}.pbs")
    depend = next((value for name, value in found if name == "-W" and value.startswith("depend")), "depend=afterok")
    before = [succeeded(one) for one in depend.split(":")[1:]]
    if not depend.startswith("depend=afterany") and not all(before):
        return
    chunks = next(value for value in of_l if value.startswith("select="))
    nodes, mpiprocs = (
        int(re.findall(r"select=(\d+)", chunks)[0]),
        int((re.findall(r"mpiprocs=(\d+)", chunks) or [1])[0]),
    )
    given = {
        "PBS_JOBID": f"{ident}.pbs",
        "PBS_NODEFILE": nodes_file(hosts(nodes), times=mpiprocs),
        "PBS_O_WORKDIR": os.getcwd(),
    }
    every = indices(options.get("-J"))
    each = [given if i is None else given | {"PBS_ARRAY_INDEX": str(i), "PBS_JOBID": f"{job}[{i}].pbs"} for i in every]
    if is_array and (len(each) < 2 or options.get("-r") == "n"):
        refuse("an array has two jobs or more, which may be run again")

    def log(at: int) -> str:
        return f"{options['-o']}{options['-N']}.o{job}" + (f".{every[at]}" if is_array else "")

    run(ident, script, os.environ["HOME"], log, each)


GRID_ENGINE: dict[str, str | None] = {
    **{
        "-cwd": None,
        "-N": r"[^\d\W][^\s:@/*?]*",
        "-S": r"/\S+",
        "-j": "y|n",
        "-o": r"\S+",
        "-r": "y|n",
        "-q": r"\S+",
    },
    **{"-l": r"\w+=[^\s=]+(,\w+=[^\s=]+)*", "-pe": r"\w+", "-A": r"\S+", "-g": r"\w+", "-p": r"-?\d+"},
    **{"-hold_jid": r"\d+(,\d+)*", "-t": r"[1-9]\d*-[1-9]\d*", "-V": None, "-notify": None},
}


def qsub_of_grid_engine(words: list[str]) -> None:
    slots = 0
    if "-pe" in words:  # the one option with two values
        at = words.index("-pe")
        slots = int(words[at + 2])
        words = [*words[: at + 2], *words[at + 3 :]]
    found, rest = parse(words, GRID_ENGINE)
    script = script_of(rest)
    found = directives(script, "#$ ", GRID_ENGINE) + found
    options = dict(found)
    asked = dict(part.split("=") for name, value in found if name == "-l" for part in value.split(","))
    if not re.fullmatch(TIME, asked.get("h_rt", "")):
        refuse("Unable to run job: Job is rejected. h_rt must be specified.")
    if asked.get("s_rt", asked["h_rt"]) > asked["h_rt"]:
        refuse("Job is rejected: s_rt is longer than h_rt")
    if "-g" not in options and "node_f" in asked and asked["h_rt"] > "00:10:00":
        refuse("Job is rejected, h_rt can not be longer than 10 mins with this group")
    job = next_number()
    is_array = "-t" in options
    told = f"{job}.{options.get('-t')}:1" if is_array else str(job)
    print(f'Your job{"-array" * is_array} {told} ("{options["-N"]}") has been submitted')
    for before in filter(None, options.get("-hold_jid", "").split(",")):
        succeeded(before)  # it must be known; how it ended makes no difference
    nodes = int(asked.get("node_f", os.environ.get("NODES", "1")))
    given = {
        "JOB_ID": str(job),
        "JOB_NAME": options["-N"],
        "NSLOTS": str(slots),
        "PE_HOSTFILE": nodes_file(hosts(nodes), "{0} 4 all.q@{0} UNDEFINED\n"),
    }
    every = indices(options.get("-t"))
    each = [given | {"SGE_TASK_ID": "undefined" if i is None else str(i)} for i in every]

    def log(at: int) -> str:
        name = options["-o"].replace("$JOB_NAME", options["-N"]).replace("$JOB_ID", str(job))
        return name.replace("$TASK_ID", str(every[at]))

    run(str(job), script, "." if "-cwd" in options else os.environ["HOME"], log, each)


SHAPE = r"[1-9]\d*(x[1-9]\d*){0,2}"
PJM: dict[str, str | None] = {
    **{
        "-N": r"[^\d\W]\S{0,62}",
        "-o": r"\S+",
        "-j": None,
        "-S": None,
        "-g": r"\w+",
        "--bulk": None,
        "--step": None,
    },
    **{"-L": rf"(elapse={TIME}|rscgrp=[\w-]+|node={SHAPE}|gpu=[1248])", "-x": r"\w+=[\w/:]+"},
    **{"--mpi": r"(proc|max-proc-per-node)=[1-9]\d*"},
    "--sparam": r"\d+-\d+|jid=\d+(,sn=\d+)?",
}


def pjsub(words: list[str]) -> None:
    found, rest = parse(words, PJM)
    script = script_of(rest)
    found = directives(script, "#PJM ", PJM) + found
    options = dict(found)
    asked = dict(value.split("=") for name, value in found if name == "-L")
    if ("node" in asked) == ("gpu" in asked) or "elapse" not in asked:
        refuse("elapse and either node or gpu must be asked for with -L")
    if "--bulk" in options and "--step" in options:
        refuse("--bulk and --step exclude each other")
    sparam = options.get("--sparam", "")
    job, step = next_number(), 0
    if sparam.startswith("jid="):
        job = int(re.findall(r"jid=(\d+)", sparam)[0])
        step = len(list((KEPT / "jobs").glob(f"{job}_*")))
    ident = f"{job}_{step}" if "--step" in options else str(job)
    print(f"[INFO] PJM 0000 pjsub Job {ident} submitted.")
    nodes = 1
    for part in asked.get("node", "1").split("x"):
        nodes *= int(part)
    kind, count = options["--mpi"].split("=")
    ranks = int(count) * (nodes if kind == "max-proc-per-node" else 1)
    given = {"PJM_JOBID": str(job), "PJM_MPI_PROC": str(ranks), "PJM_O_NODEINF": nodes_file(hosts(nodes))}
    every = indices(sparam) if "--bulk" in options else [None]
    each = [given if i is None else given | {"PJM_BULKNUM": str(i)} for i in every]

    def log(at: int) -> str:
        return options["-o"].replace("%j", ident if every[at] is None else f"{job}[{every[at]}]")

    run(ident, script, ".", log, each)


COMMANDS: dict[str, dict[str, Callable[[list[str]], None]]] = {
    "slurm": {"sbatch": sbatch, "srun": srun, "squeue": listing, "scancel": deleting, "scontrol": scontrol},
    "pbs": {
        **{"qsub": qsub_of_pbs, "mpirun": mpirun, "mpiexec.hydra": mpirun},
        **{"qstat": listing, "qdel": deleting, "qalter": qalter},
    },
    "gridengine": {"qsub": qsub_of_grid_engine, "mpirun": mpirun, "qstat": listing, "qdel": deleting},
    "pjm": {"pjsub": pjsub, "mpirun": mpirun, "mpiexec": mpirun, "pjstat": listing, "pjdel": deleting},
}

if __name__ == "__main__":
    (COMMANDS[os.environ["SCHEDULER_HERE"]] | {"time-is-over": time_is_over})[sys.argv[1]](sys.argv[2:])
