"""Launchers, two trainings on one node, and what login shells leave in the environment."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch.distributed as dist

from dtrain import join
from dtrain.join import Party
from runkit.errors import UserError
from runkit.launcher import planned_size
from runkit.mpi.foreign import ends_at_pmix
from tests.conftest import ROOT, Mpiexec, clean_environment
from tests.flow_factory import FLOW_RECIPE, write_flow

TRAIN = ROOT / "dtrain/train.py"
RECIPE = FLOW_RECIPE.replace("train = 4, validation = 1, test = 1", "train = 2, validation = 1, test = 0")
ON_CPU = {"DS_ACCELERATOR": "cpu"}


def loss(run: Path) -> float:
    with open(run / "training.csv", newline="") as file:
        return float(list(csv.DictReader(file))[-1]["loss"])


@pytest.fixture
def training(tmp_path: Path) -> tuple[Path, ...]:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    for seed in (1, 2):
        write_flow(tmp_path / f"{seed}.h5", n_cases=3, n_frames=8, seed=seed)
    return TRAIN, tmp_path / "recipe.toml"


def test_two_trainings_by_mpiexec_at_once_on_one_node_each_learn_from_their_own_file(mpiexec, training, tmp_path):
    started = [
        mpiexec.start(2, *training, "device=cpu", "threads=1", f"data.file={n}.h5", f"name=run{n}", env=ON_CPU)
        for n in (1, 2)
    ]
    for process in started:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0 and out.count("finished; weights") == 1, out + err
    losses = [loss(tmp_path / f"runs/run{n}") for n in (1, 2)]
    assert losses[0] != losses[1]


@pytest.fixture
def taken() -> Iterator[str]:
    """A port at which another training has its store."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    store.set("launch", "another training")
    yield str(store.port)


CONNECT = """
from dtrain.ranks import connect
from runkit.cli import run_program
from runkit.config import Config
from runkit.launcher import torch_launch

def work(options):
    with connect("cpu", 1, purpose=options).together():
        print("met")

run_program("connect", Config, work, launched=torch_launch)
"""


@pytest.mark.parametrize("given", [("MASTER_PORT",), ("MASTER_ADDR", "MASTER_PORT")])
def test_processes_of_mpiexec_at_the_port_of_another_training_end_with_one_line(mpiexec, taken, given):
    place = {name: {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": taken}[name] for name in given}
    done = mpiexec(2, "-c", CONNECT, timeout=100, env=ON_CPU | place)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2 and len(errors) == 1 and f":{taken}" in errors[0] and "MASTER_PORT" in errors[0]
    assert "Traceback" not in done.stderr and "met" not in done.stdout


def meet(store, rank: int, token: str) -> str:
    try:
        join._meet(store, Party(rank, 2, 0, 1, None), token)
    except UserError as error:
        return str(error)
    return "met"


def test_a_rank_that_finds_another_training_stays_out_and_does_not_disturb_it():
    store = dist.HashStore()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(meet, store, 0, "ours")
        stray = pool.submit(meet, store, 1, "theirs").result(20)
        assert "another training is at" in stray and not first.done()
        assert meet(store, 1, "ours") == "met" == first.result(20)


def test_two_processes_of_one_rank_end_the_launch_instead_of_learning_wrongly():
    store = dist.HashStore()
    store.set("launch", "ours")
    store.add("rank 1 is here", 1)
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda rank: meet(store, rank, "ours"), (0, 1)))
    assert ["two processes say that they are rank 1" in end for end in ends] == [True, True], ends


LEFT_OVER = [
    {"PMI_RANK": "1", "PMI_SIZE": "4"},
    {"PMI_RANK": "1", "PMI_SIZE": "4", "PMI_FD": "77"},
    {"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4"},
    {"RANK": "3", "WORLD_SIZE": "8"},
    {"PALS_APID": "a", "PALS_RANKID": "2", "PMI_RANK": "2", "PMI_SIZE": "4"},
    {"FLUX_JOB_ID": "f", "FLUX_TASK_RANK": "1", "FLUX_JOB_SIZE": "4"},
    {"MV2_COMM_WORLD_RANK": "1", "MV2_COMM_WORLD_SIZE": "2"},
    {"PMIX_NAMESPACE": "slurm.pmix.7.0", "PMIX_RANK": "3", "PMIX_SERVER_URI41": "x"},
    {"PMI_RANK": "first", "PMI_SIZE": "2"},
]
RANKS = "from runkit.mpi import launch; launch(lambda world: print(f'rank {world.rank} of {world.size}', flush=True))"


@pytest.mark.parametrize("variables", LEFT_OVER, ids=lambda variables: ",".join(variables))
def test_variables_left_over_from_a_launcher_are_named_and_the_process_works_alone(variables, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RANKS],
        env=clean_environment() | variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stdout == "rank 0 of 1\n", done.stderr
    counts = not {"RANK", "PMIX_RANK"} & variables.keys() and variables.get("PMI_RANK") != "first"
    assert done.stderr.count("\n") == ("is left over" in done.stderr) == counts, done.stderr


@pytest.mark.parametrize("variables", LEFT_OVER, ids=lambda variables: ",".join(variables))
def test_the_version_of_mpi_is_told_whatever_variables_are_left_over(variables):
    told = "from runkit.about import mpi; print(mpi())"
    environment = clean_environment() | variables
    done = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith("mpi4py "), done.stderr


@pytest.mark.parametrize(
    "variables", [LEFT_OVER[0], LEFT_OVER[2], LEFT_OVER[5]], ids=lambda variables: ",".join(variables)
)
def test_a_plan_does_not_count_ranks_that_are_left_over(variables, monkeypatch, capsys):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert planned_size() == 1
    monkeypatch.setenv("PLANNED_RANKS", "6")
    assert planned_size() == 6
    assert f"{', '.join(list(variables)[-2:])} = " in (told := capsys.readouterr().err) and "looks left over" in told


def test_a_training_is_not_ended_by_the_local_rank_that_open_mpi_tells(training, mpiexec):
    """DeepSpeed asserts that it is LOCAL_RANK: the number of a GPU here, 0 on CPUs and where each rank sees its own."""
    told = {f"OMPI_COMM_WORLD_{name}": value for name, value in (("RANK", "3"), ("SIZE", "4"), ("LOCAL_RANK", "3"))}
    alone = ("device=cpu", "threads=1", "data.file=1.h5", "name=run")
    done = mpiexec(1, *training, *alone, env=ON_CPU | told, timeout=240)
    assert done.returncode == 0 and "finished; weights" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("program", ["mdgen", "lbmgen"])
def test_a_plan_counts_the_ranks_of_a_launcher_that_shows_itself(program, mpiexec: Mpiexec):
    done = mpiexec(2, "-m", program, "show")
    assert done.returncode == 0 and "# ranks      2" in done.stdout and "left over" not in done.stderr, done.stderr


def test_which_mpi_libraries_end_at_variables_of_pmix():
    """MPICH without it does; one that has it, only if its own mpiexec set others beside them."""
    plain, with_pmix = (
        f"MPICH Version:      5.0.2\nMPICH configure:    --with-pm={kind}" for kind in ("hydra", "pmix")
    )
    ends = [[ends_at_pmix(name, by_hydra) for by_hydra in (False, True)] for name in (plain, with_pmix, "Open MPI v5")]
    assert ends == [[True, True], [False, True], [False, False]]


@pytest.mark.parametrize("variables", LEFT_OVER[2:], ids=lambda variables: ",".join(variables))
def test_ranks_that_mpi_confirms_are_not_confused_by_what_is_left_over(variables, mpiexec: Mpiexec):
    variables = {name: value for name, value in variables.items() if not name.startswith("PMI_")}
    done = mpiexec(2, "-c", RANKS, env=variables, timeout=60)
    assert done.returncode == 0 and all(f"rank {rank} of 2" in done.stdout for rank in (0, 1)), done.stderr
