"""The files of jobs/: sound shell, and profiles of sites with which jobs can be submitted and run."""

from __future__ import annotations

import platform
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.jobs.conftest import estimating

ROOT = Path(__file__).parents[2]
SHELLCHECK = Path(sysconfig.get_path("scripts")) / "shellcheck"
SHELL = sorted(
    path
    for path in (ROOT / "jobs").rglob("*")
    if path.is_file() and path.suffix not in {".toml", ".md", ".py"} and path != ROOT / "jobs" / "site.env"
)
SITES = sorted((ROOT / "jobs" / "sites").glob("*.env"))
SCHEDULERS = {path.stem for path in (ROOT / "jobs" / "schedulers").glob("*.sh")}
NAMED = {"miyabi-g", "miyabi-c", "abci3", "tsubame4", "genkai", "wisteria-a", "fugaku"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="shellcheck comes as a package for x86-64 alone")
def test_shellcheck_finds_nothing_in_what_jobs_run():
    assert len(SHELL) > 15
    done = subprocess.run([SHELLCHECK, "-x", *SHELL], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_named_site_and_every_scheduler_has_a_profile_that_says_it_was_not_tried():
    assert {path.stem for path in SITES} == NAMED | SCHEDULERS
    for path in SITES:
        assert path.stem == "slurm" or "NOT TRIED" in path.read_text()


def test_every_scheduler_answers_the_same_questions():
    functions = {
        path.stem: set(re.findall(r"^(\w+)\(\)", path.read_text(), re.M))
        for path in (ROOT / "jobs" / "schedulers").glob("*.sh")
    }
    for name, found in functions.items():
        assert functions["slurm"] <= found, name


@pytest.fixture
def profile(tmp_path):
    """A site's file as a user would have it: with a group, and with a program and modules that exist here."""

    def edited(path: Path, more: str = "") -> Path:
        text = re.sub(r"^ACCOUNT=.*", "ACCOUNT=mine", path.read_text(), flags=re.M)
        text = text.replace("source /etc/profile.d/modules.sh", ":").replace(". /vol0004/", ": /vol0004/")
        mine = tmp_path / "site.env"
        mine.write_text(f"module() {{ :; }}\n{text}\nPYTHON=program\n{more}\n")
        return mine

    return edited


def scheduler_of(path: Path) -> str:
    return re.findall(r"^SCHEDULER=(\w+)", path.read_text(), re.M)[0]


@pytest.mark.parametrize("path", SITES, ids=[path.stem for path in SITES])
@pytest.mark.parametrize("job", [("generate", "lbmgen", "case.toml"), ("train", "recipe.toml")], ids=lambda job: job[0])
def test_a_profile_is_taken_by_its_scheduler_and_starts_the_ranks_that_it_names(
    path, job, profile, commands, copy, submit
):
    few = "GENERATE_TASKS_PER_NODE=2 GENERATE_CORES_PER_TASK=1"  # fewer processes on this machine
    env = commands(scheduler_of(path))
    done = submit("--site", profile(path, few), *job, root=copy, env=env)
    assert done.returncode == 0, done.stderr
    logs = [log for log in (copy / "runs" / "jobs").iterdir() if not re.search(r"\.sh$|\.tsv$|unfinished", log.name)]
    log = "".join(one.read_text() for one in logs)
    settings = dict(re.findall(r"^(\w+)=(\w*)", path.read_text(), re.M))
    kind = job[0].upper()
    tasks = 2 if kind == "GENERATE" else int(settings["TRAIN_TASKS_PER_NODE"])
    ranks = int(settings[f"{kind}_NODES"]) * tasks
    assert re.findall(r"rank (\d+) of (\d+)", log) == [(str(i), str(ranks)) for i in range(ranks)], log


def test_the_software_of_a_site_may_use_variables_that_nobody_has_set(profile, commands, copy, submit):
    """As the set-up scripts of modules, Spack and conda do."""
    path = next(path for path in SITES if path.stem == "pbs")
    chosen = profile(path, 'GENERATE_TASKS_PER_NODE=1\nload_site() { [ "$NOT_SET" = yes ] || echo "software"; }')
    done = submit("--site", chosen, "generate", "mdgen", root=copy, env=commands("pbs"))
    assert done.returncode == 0, done.stderr
    (log,) = (copy / "runs" / "jobs").glob("*.o*")
    assert log.read_text().startswith("software\n") and "rank 0 of 1" in log.read_text()


@pytest.mark.parametrize(
    ("name", "more", "told"),
    [
        ("miyabi-g", "TRAIN_QUEUE=debug-g", "TRAIN_TIME = '24:00:00'; debug-g with 4 nodes: at most 0:30:00"),
        ("miyabi-g", "TRAIN_QUEUE=regular", "TRAIN_QUEUE = 'regular'; allowed: debug-g, short-g, regular-g"),
        ("miyabi-g", "TRAIN_QUEUE=debug-g TRAIN_NODES=17", "TRAIN_NODES = '17'; nodes of debug-g: 1-16"),
        ("genkai", "TRAIN_NODES=4 TRAIN_TIME=72:00:00", "b-batch with 4 nodes: at most 48:00:00"),
        (
            "wisteria-a",
            "TRAIN_QUEUE=regular-a TRAIN_NODES=8 TRAIN_TIME=48:00:00",
            "regular-a with 8 nodes: at most 24:00:00",
        ),
        ("genkai", "TRAIN_GPUS_PER_NODE=8", "TRAIN_GPUS_PER_NODE = '8'; GPUs of a node of b-batch: at most 4"),
        ("genkai", "TRAIN_CORES_PER_TASK=40", "TRAIN_CORES_PER_TASK = '160'; cores of a node of b-batch: at most 120"),
        ("tsubame4", "TRAIN_QUEUE=node_q", "TRAIN_GPUS_PER_NODE = '4'; GPUs of a node of node_q: at most 1"),
        ("fugaku", "TRAIN_NODES=20x20", "TRAIN_NODES = '20x20'; nodes of small: 1-384"),
    ],
)
def test_what_a_queue_does_not_allow_is_told_in_one_line_before_it_is_queued(name, more, told, profile, submit):
    path = next(path for path in SITES if path.stem == name)
    done = submit("--dry-run", "--site", profile(path, more), "train")
    assert done.returncode == 2 and done.stdout == ""
    assert told in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(("tasks", "code"), [("20", 2), ("10", 0)])
def test_ranks_that_need_more_memory_than_a_node_has_are_refused(tasks, code, profile, submit, tmp_path):
    path = next(path for path in SITES if path.stem == "fugaku")
    chosen = profile(path, f"GENERATE_TASKS_PER_NODE={tasks} PYTHON={estimating(tmp_path, '26 h')}")
    done = submit("--dry-run", "--site", chosen, "generate", "mdgen")
    assert done.returncode == code, done.stderr
    told = "need 42 GB; a node of small has 32 GB" if code else "about 26 h are needed on CPUs and a job has 24:00:00"
    assert told in done.stderr and done.stderr.count("\n") == 1
