"""The project's batch jobs on a real Slurm of three nodes: what jobs/submit hands over runs as it is.

Every file must have the bytes that one process makes, whatever happens on the way.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runkit.dataset.check import check
from tests.conftest import ROOT
from tests.files import arrays, assert_same
from tests.flow_factory import FLOW_RECIPE
from tests.services.cluster import HUNG, wait_until
from tests.services.slurm import Slurm

pytestmark = pytest.mark.timeout(1800)
GLASS = (
    "mdgen",
    "system.n_particles=160",
    "system.temperature=1.0",
    "initial.melt_time=0.2",
    "initial.cooling_time=0.5",
    "initial.hold_time=0.5",
    "production.n_samples=3",
    "production.n_replicas=4",
    "production.times=[0.05, 0.4]",
)
FLOW = (
    "lbmgen",
    "n_cases=3",
    "grid.cells=[24, 16]",
    "obstacles.diameter=3",
    "flow.reynolds=[40, 60]",
    "frames.count=8",
    "frames.every=20",
    "frames.warm_up=0.2",
)
RECIPE = FLOW_RECIPE.replace("train = 4", "train = 1").replace("epochs = 1\n", "epochs = 2\n")
SITE = {
    "GENERATE_NODES": "2",
    "GENERATE_TASKS_PER_NODE": "2",
    "TRAIN_NODES": "2",
    "TRAIN_TASKS_PER_NODE": "1",
    "TRAIN_CORES_PER_TASK": "1",
    "TRAIN_GPUS_PER_NODE": "0",
    "GENERATE_TIME": "0:10:00",
    "TRAIN_TIME": "0:10:00",
}


class Login:
    """A user on the login node."""

    def __init__(self, services: Slurm, project: Path) -> None:
        self.services, self.project = services, project

    def site(self, **changed: str) -> Path:
        """The site's file, with some settings changed."""
        path = self.project / f"site{len(list(self.project.glob('site*')))}.env"
        settings = SITE | {"PYTHON": sys.executable} | changed
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        path.write_text((ROOT / "jobs/sites/slurm.env").read_text() + "".join(lines))
        return path

    def submit(self, *words: str, **changed: str) -> str:
        """The number of the job that jobs/submit has handed over, with some settings of the site changed."""
        done = self.run("--site", str(self.site(**changed)), *words)
        assert done.returncode == 0, done.stderr
        return re.findall(r"Submitted batch job (\d+)", done.stdout)[-1]

    def submit_pipeline(self, path: str, told: str = "", **changed: str) -> list[list[str]]:
        """What jobs/submit says of each job of a pipeline: label, state, number, words; `told`: its warnings."""
        done = self.run("--site", str(self.site(**changed)), path)
        warnings = [line for line in done.stderr.splitlines() if line.startswith("submit: ")]
        assert done.returncode == 0 and re.fullmatch(told, "\n".join(warnings)), done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """jobs/submit with its words."""
        return self.services.head.run("jobs/submit", *words, cwd=self.project, env=self.services.environment)

    def last_words(self) -> str:
        """How the logs of all jobs end."""
        logs = sorted((self.project / "runs/jobs").glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text()[-800:]}" for log in logs)

    def log(self, job: dict[str, str]) -> str:
        """What a job has said."""
        return Path(job["StdOut"]).read_text()


@pytest.fixture(scope="module")
def login(services, project) -> Login:
    return Login(services, project)


def alone(folder: Path, words: tuple[str, ...], name: str) -> Path:
    """The file that one process makes without MPI's help."""
    command = [sys.executable, "-m", *words, f"output={folder / name}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HUNG)  # also compiles
    assert done.returncode == 0, done.stderr
    return folder / name


@pytest.fixture(scope="module")
def glass(project) -> Path:
    return alone(project, GLASS, "glass-alone.h5")


@pytest.fixture(scope="module")
def flow(project) -> Path:
    return alone(project, FLOW, "flow-alone.h5")


def test_molecular_dynamics_on_four_tasks_of_two_nodes_gives_the_bytes_of_one_process(login, glass):
    job = login.services.wait(login.submit("generate", *GLASS, "output=glass.h5"))
    assert job["NumNodes"] == "2" and "4 ranks" in login.log(job), login.log(job)
    assert_same(login.project / "glass.h5", glass)


def test_flow_on_four_tasks_of_two_nodes_gives_the_bytes_of_one_process(login, flow):
    login.services.wait(login.submit("generate", *FLOW, "ranks_per_case=2", "output=flow.h5"))
    assert_same(login.project / "flow.h5", flow)
    assert check(login.project / "flow.h5").good


@pytest.mark.parametrize("launcher", ["mpi", "deepspeed"])
def test_training_on_two_nodes_learns(login, flow, launcher):
    (login.project / "recipe.toml").write_text(RECIPE)
    words = ("recipe.toml", "data.file=flow-alone.h5", f"name=by_{launcher}")
    job = login.services.wait(login.submit("train", *words, TRAIN_BY=launcher))
    assert (login.project / f"runs/by_{launcher}/model.safetensors").exists(), login.log(job)
    assert login.log(job).count("finished; weights") == 1


def test_each_job_of_an_array_makes_its_own_file(login):
    few = ("n_cases=1", "frames.count=1")
    ident = login.submit("--array", "1-2", "generate", *FLOW, *few, "seed={index}", "output=array{index}.h5")
    for index in (1, 2):
        login.services.wait(f"{ident}_{index}")
    one, two = (arrays(login.project / f"array{index}.h5") for index in (1, 2))
    assert [name for name in one if one[name].tobytes() != two[name].tobytes()]


LONG = (*GLASS, "production.times=[0.05, 400.0]", "checkpoint_seconds=0")


@pytest.fixture(scope="module")
def long_glass(project) -> Path:
    return alone(project, LONG, "long-alone.h5")


def begin(login: Login, name: str) -> str:
    """A long job, which has begun to compute when this returns."""
    ident = login.submit("generate", *LONG, f"output={name}.h5")
    login.services.wait(ident, "RUNNING")
    checkpoints = login.project / f"{name}.h5.checkpoints"
    wait_until(lambda: any(checkpoints.glob("propagate-*")), "no checkpoint of the job")
    return ident


def test_a_cancelled_job_leaves_no_process_and_is_finished_by_submitting_it_again(login, long_glass):
    ident = begin(login, "cancelled")
    assert login.run("--site", str(login.site()), "cancel", ident).returncode == 0
    job = login.services.wait(ident, "CANCELLED", seconds=30)
    assert job["JobState"] == "CANCELLED" and (login.project / "cancelled.h5.part").exists()
    wait_until(lambda: set(login.services.nodes().values()) == {"idle"}, "nodes are not given back", 30)
    assert [name for name, host in login.services.cluster.hosts.items() if "mdgen" in host.run("ps", "ax").stdout] == []
    login.services.wait(login.submit("generate", *LONG, "output=cancelled.h5"))
    assert_same(login.project / "cancelled.h5", long_glass)


def test_a_job_whose_node_dies_is_requeued_on_others_and_ends_with_the_same_bytes(login, long_glass):
    ident = begin(login, "died")
    first = login.services.job(ident)["NodeList"]
    dead = login.services.command("scontrol", "show", "hostnames", first).split()[-1]
    login.services.cluster.hosts[dead].die()
    try:
        wait_until(lambda: login.services.job(ident).get("Restarts") == "1", "the job is not requeued")
        job = login.services.wait(ident)
    finally:
        login.services.cluster.boot(dead)
        login.services.start_node(dead)
    assert dead not in login.services.command("scontrol", "show", "hostnames", job["NodeList"]).split()
    assert_same(login.project / "died.h5", long_glass)
    wait_until(lambda: set(login.services.nodes().values()) == {"idle"}, "the node does not come back")


def test_a_job_whose_time_is_over_again_and_again_is_requeued_until_it_is_done(login, project, glass):
    """Each time it works for about as long as a tiny run takes here, saves, ends with code 75 and is requeued."""
    begun = time.monotonic()
    alone(project, GLASS, "tiny.h5")  # kernels are compiled, since `glass` is there
    minutes = f"minutes={max(3.0, 1.2 * (time.monotonic() - begun)) / 60:.3f}"
    words = (*GLASS, "production.times=[0.05, 400.0]", "checkpoint_seconds=1")
    one = {"GENERATE_NODES": "1", "GENERATE_TASKS_PER_NODE": "1"}
    ident = login.submit("--restarts", "60", "generate", *words, minutes, "output=hurried.h5", **one)
    job = login.services.wait(ident)
    assert int(job["Restarts"]) >= 3, login.log(job)
    expected = alone(project, words, "hurried-alone.h5")
    assert_same(project / "hurried.h5", expected)


PIPELINE = """
name = "road"
[stage.generate]
job = "generate"
arguments = [{words}, "seed={{seed}}", "output=road{{seed}}.h5"]
array = {{ seed = [1, 2] }}
[stage.check]
job = "generate_check"
arguments = ["road{{seed}}.h5"]
array = {{ seed = [1, 2] }}
[stage.train]
job = "train"
arguments = ["recipe.toml", "data.file=road1.h5", "name=road"]
[stage.evaluate]
job = "train_evaluate"
arguments = ["runs/road", "device=cpu"]
[stage.figures]
job = "generate_figures"
arguments = ["--dataset", "road1.h5", "--run", "runs/road", "--out", "figures"]
"""


def test_a_pipeline_goes_from_two_generations_to_figures_and_does_nothing_twice(login, project):
    (project / "recipe.toml").write_text(RECIPE)
    (project / "road.toml").write_text(PIPELINE.format(words=", ".join(f'"{word}"' for word in FLOW)))
    told = "submit: data.file: road1.h5 does not exist; what it waits for has not ended yet, so that may come"
    *_, last = login.submit_pipeline("road.toml", told)
    wait_until(lambda: not login.services.command("squeue", "--noheader"), "jobs are left in the queue")
    job = login.services.job(last[2])
    assert job["JobState"] == "COMPLETED", login.last_words()
    assert any((project / "figures").iterdir()), login.log(job)
    states = [state for _, state, *_ in login.submit_pipeline("road.toml")]
    assert states == ["done"] * 7


TWO_STAGES = """
name = "edited"
[stage.make]
job = "generate"
arguments = [{words}, "output=edited.h5"]
[stage.check]
job = "generate_check"
arguments = ["edited.h5"]
"""


def test_a_site_that_is_edited_when_half_of_a_pipeline_is_done_holds_for_what_is_submitted_again(login, project):
    """What waits in the queue is left as it is, and told, until it is cancelled."""
    (project / "edited.toml").write_text(TWO_STAGES.format(words=", ".join(f'"{word}"' for word in FLOW)))
    (_, _, first, _), (_, _, second, _) = login.submit_pipeline("edited.toml", SUBMIT_FLAGS="(--hold)")
    login.services.command("scontrol", "release", first)
    login.services.wait(first)
    edited = {"GENERATE_TIME": "0:07:00"}
    told = f"submit: edited/check, {second}, is queued .* now: --time=0:07:00 in place of --time=0:10:00, .*"
    rows = login.submit_pipeline("edited.toml", told, SUBMIT_FLAGS="(--hold)", **edited)
    assert [(state.split()[0], ident) for _, state, ident, _ in rows] == [("done", first), ("queued", second)]
    assert login.services.job(second)["TimeLimit"] == "00:10:00"
    assert login.run("--site", str(login.site()), "cancel", second).returncode == 0
    (_, made, same, _), (_, state, third, _) = login.submit_pipeline("edited.toml", **edited)
    assert (made, same, state) == ("done", first, "submitted") and third != second
    assert login.services.wait(third)["TimeLimit"] == "00:07:00"
