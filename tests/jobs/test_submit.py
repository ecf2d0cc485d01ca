"""Job templates and jobs/submit, with stand-ins for the commands of the batch systems."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted((ROOT / "jobs").glob("*/*.sh"))

SITES = {
    "slurm": {"SCHEDULER": "slurm", "ACCOUNT": "physics"},
    "pjm": {"SCHEDULER": "pjm", "ACCOUNT": "jh1", "PER_NODE_FLAG": "-npernode", "LAUNCH_FLAGS": "(-x PATH)"},
}


@pytest.fixture(params=SITES)
def scheduler(request) -> str:
    return request.param


@pytest.fixture
def site(tmp_path):
    """Write a site file with some settings changed: site("slurm", GENERATE_NODES="0") -> path."""

    def write(scheduler: str, **changed: str) -> Path:
        settings = SITES[scheduler] | {"PYTHON": "python"} | changed
        path = tmp_path / "site.env"
        example = (ROOT / "jobs" / "site.env.example").read_text()
        path.write_text(example + "".join(f"{name}={value}\n" for name, value in settings.items()))
        return path

    return write


@pytest.fixture
def commands(tmp_path):
    """An environment in which launchers print what they are to start; a submitted job runs at once."""
    folder = tmp_path / "bin"
    folder.mkdir()
    stand_ins = {
        "sbatch": 'exec bash "${@: -1}"',
        "pjsub": 'exec bash "${@: -1}"',
        "srun": 'printf "%s\\n" srun "$@" "address $MASTER_ADDR"',
        "mpirun": 'printf "%s\\n" mpirun "$@"',
        "scontrol": "echo node07; echo node08",
        "python": "exit 1",
    }
    for name, body in stand_ins.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o755)
    (tmp_path / "nodes").write_text("node07\nnode07\nnode08\nnode08\n")
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "MASTER_ADDR": "",
        "SLURM_JOB_ID": "1234567",
        "SLURM_JOB_NODELIST": "node[07-08]",
        "PJM_JOBID": "1234567",
        "PJM_MPI_PROC": "4",
        "PJM_O_NODEINF": str(tmp_path / "nodes"),
    }


@pytest.fixture
def copy(tmp_path) -> Path:
    """A folder with the project's jobs, so that what is submitted leaves no files here."""
    folder = tmp_path / "the project"
    folder.mkdir()
    subprocess.run(["cp", "-r", ROOT / "jobs", folder], check=True)
    return folder


def submit(*arguments: str | Path, root: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    environment = os.environ | (env or {})
    return subprocess.run(
        [root / "jobs" / "submit", *arguments], capture_output=True, text=True, env=environment, timeout=30
    )


@pytest.mark.parametrize("path", TEMPLATES, ids=[str(path.relative_to(ROOT)) for path in TEMPLATES])
def test_a_template_is_sound_bash(path):
    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_both_schedulers_have_the_same_jobs():
    jobs = {path.parent.name: set() for path in TEMPLATES}
    for path in TEMPLATES:
        jobs[path.parent.name].add(path.name)
    assert set(jobs) == set(SITES)
    assert jobs["slurm"] == jobs["pjm"] >= {"generate.sh", "train.sh"}


def test_a_dry_run_prints_the_command_of_slurm(site):
    done = submit("--dry-run", "--site", site("slurm", TRAIN_NODES="2", TRAIN_QUEUE="gpu"), "train", "seed=2")
    assert done.returncode == 0, done.stderr
    command = done.stdout.splitlines()[-1].split()
    assert command[0] == "sbatch"
    assert {"--nodes=2", "--ntasks-per-node=4", "--gres=gpu:4", "--partition=gpu", "--account=physics"} <= set(command)
    assert "--time=08:00:00" in command
    assert "jobs/slurm/train.sh seed=2 minutes=470" in done.stdout


def test_a_dry_run_prints_the_command_of_pjm(site):
    chosen = site("pjm", GENERATE_NODES="3", GENERATE_QUEUE="regular-a")
    done = submit("--dry-run", "--site", chosen, "generate", "mdgen")
    assert done.returncode == 0, done.stderr
    command = done.stdout.splitlines()[-1]
    assert command.startswith("pjsub ")
    for part in ("-L elapse=24:00:00", "--mpi proc=192", "-L node=3", "-L rscgrp=regular-a", "-g jh1"):
        assert part in command
    assert "gpu" not in command


def test_pjm_shares_of_a_node_are_asked_for_by_gpus(site):
    done = submit("--dry-run", "--site", site("pjm", TRAIN_NODES="", TRAIN_TASKS_PER_NODE="4"), "train")
    command = done.stdout.splitlines()[-1]
    assert "-L gpu=4" in command and "node=" not in command and "--mpi proc=4" in command


def test_a_dry_run_submits_nothing(scheduler, site, commands, copy):
    submit("--dry-run", "--site", site(scheduler), "generate", "mdgen", root=copy, env=commands)
    assert not (copy / "runs").exists()


def test_a_submitted_generation_starts_mdgen_with_its_arguments(scheduler, site, commands, copy):
    words = ["my case.toml", "output=$(id).h5", "seed=3"]
    done = submit("--site", site(scheduler), "generate", "mdgen", *words, root=copy, env=commands)
    assert done.returncode == 0, done.stderr
    started = done.stdout.splitlines()
    assert started[0] == {"slurm": "srun", "pjm": "mpirun"}[scheduler]
    at = started.index("-m")
    assert started[at - 1 : at + 5] == ["python", "-m", "mdgen", *words]


def test_a_submitted_training_knows_the_node_of_rank_0(scheduler, site, commands, copy):
    renamed = site(scheduler)
    renamed.write_text(renamed.read_text() + 'reachable_as() { echo "$1-fast"; }\n')
    done = submit("--site", renamed, "train", "minutes=5", root=copy, env=commands)
    assert done.returncode == 0, done.stderr
    expected = {"slurm": "address node07-fast", "pjm": "MASTER_ADDR=node07-fast"}[scheduler]
    started = done.stdout.splitlines()
    assert expected in started
    at = started.index("dtrain/train.py")
    assert started[at + 1] == "minutes=5"


def test_a_requeued_slurm_job_is_launched_as_a_later_step(site, commands, copy):
    env = commands | {"SLURM_RESTART_COUNT": "2"}
    started = submit("--site", site("slurm"), "generate", "mdgen", root=copy, env=env).stdout.splitlines()
    assert [started[at + 1] for at, word in enumerate(started) if word == "srun"] == ["--ntasks=1"] * 2 + [
        "--kill-on-bad-exit=1"
    ]


def test_pjm_spreads_processes_evenly_over_its_nodes(site, commands, copy):
    started = submit("--site", site("pjm"), "generate", "mdgen", root=copy, env=commands).stdout.splitlines()
    assert started[started.index("-np") + 1] == "4"
    assert started[started.index("-npernode") + 1] == "2"


def test_a_missing_site_file_is_one_clear_line(tmp_path):
    done = submit("--site", tmp_path / "nowhere.env", "generate", "mdgen")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere.env is missing" in done.stderr and "site.env.example" in done.stderr


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"SCHEDULER": "lsf"}, "SCHEDULER = 'lsf'; allowed: slurm, pjm"),
        ({"GENERATE_NODES": "0"}, "GENERATE_NODES = '0'"),
        ({"GENERATE_NODES": ""}, "GENERATE_NODES"),
        ({"GENERATE_TASKS_PER_NODE": "many"}, "GENERATE_TASKS_PER_NODE = 'many'; allowed: a number from 1"),
        ({"GENERATE_TIME": "1d"}, "GENERATE_TIME = '1d'; allowed: hours:minutes:seconds"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(changed, named, site):
    done = submit("--dry-run", "--site", site("slurm", **changed), "generate", "mdgen")
    assert done.returncode == 2
    assert named in done.stderr and done.stderr.count("\n") == 1


def test_a_mistake_in_a_configuration_is_told_before_anything_is_queued(site):
    chosen = site("slurm", GENERATE_TASKS_PER_NODE="6", PYTHON=sys.executable)
    done = submit("--site", chosen, "generate", "mdgen", "production.n_sample=3")
    assert done.returncode == 2
    assert "did you mean 'production.n_samples'" in done.stderr and "nothing is submitted" in done.stderr
    done = submit("--dry-run", "--site", chosen, "generate", "mdgen", "production.n_samples=12")
    assert "# ranks      6, each with 2 samples" in done.stdout


def test_a_generator_that_runs_here_but_ends_in_an_error_is_not_submitted(site, tmp_path):
    """Only one that cannot be started is taken on trust."""
    python = tmp_path / "python"
    python.write_text('#!/bin/bash\n[[ " $* " == *" --version "* ]] || { echo Traceback >&2; exit 1; }\n')
    python.chmod(0o755)
    done = submit("--dry-run", "--site", site("slurm", PYTHON=str(python)), "generate", "lbmgen")
    assert done.returncode == 2 and "Traceback" in done.stderr and "nothing is submitted" in done.stderr


def test_a_generator_that_does_not_run_here_is_submitted_all_the_same(site):
    done = submit("--dry-run", "--site", site("slurm", PYTHON="nowhere/python"), "generate", "mdgen")
    assert done.returncode == 0 and "was not looked at" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("sbatch")


def test_an_unknown_job_is_answered_with_the_jobs_there_are(scheduler, site):
    done = submit("--site", site(scheduler), "generate_magic")
    assert done.returncode == 2
    assert "generate train" in done.stderr
