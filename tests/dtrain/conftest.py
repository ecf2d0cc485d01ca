"""Tiny datasets and a small graph for the tests of dtrain, and launches of its scripts."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch

from dtrain.data.glass import Glass, GlassOptions
from dtrain.train import main
from runkit.stop import UNFINISHED
from tests.conftest import clean_environment
from tests.flow_factory import write_flow
from tests.isoconfig_factory import write_isoconfig

ROOT = Path(__file__).parents[2]
# A recipe of the flow CNN on `flow_file`, without its phases.
TINY_FLOW = """
name = "tiny"
batch = 6
micro = 0
log_every = 1

[model]
name = "flow-cnn"
parameters = { widths = [8, 16] }

[data]
name = "flow"
split = { train = 4, validation = 1, test = 1 }
horizon = 6
"""
# Its training in one phase, short enough to be gone through again and again; the average of the weights is kept.
TINY_AVERAGED = f"""
ema = 0.9
{TINY_FLOW}
[phase.frames]
epochs = 2
learning_rate = 1e-2
"""
# A model of glass at any time, which goes on with keys of its data, and the phase of what is solved.
ANY_TIME = """
[model]
name = "any-time"
[data]
name = "glass-times"
positions = "both"
descriptors = true
"""
SOLVED = """
[phase.solve]
epochs = 1
learning_rate = 1.0
"""
READY = multiprocessing.get_context("forkserver")
# What every training imports, the compiler's front for its estimate of operations.
READY.set_forkserver_preload(["dtrain.train", "dtrain.evaluate", "deepspeed", "torch._dynamo", __name__])


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def isoconfig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISOCONFIG file of 10 samples of 160 particles at 2 times."""
    return write_isoconfig(tmp_path_factory.mktemp("data") / "tiny.h5", n_samples=10)


@pytest.fixture(scope="session")
def glass(isoconfig: Path) -> Glass:
    """Its graphs at the later time."""
    return Glass(GlassOptions(file=str(isoconfig), time=1), seed=3)


@pytest.fixture(scope="session")
def flow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A FLOW file of 6 cases of 12 frames on 16 x 16 cells."""
    return write_flow(tmp_path_factory.mktemp("data") / "flow.h5")


@pytest.fixture(scope="session")
def averaged_settings(tmp_path_factory: pytest.TempPathFactory, flow_file: Path) -> tuple[object, ...]:
    """The command line of a training by TINY_AVERAGED."""
    return (*settings_of(tmp_path_factory.mktemp("recipe"), TINY_AVERAGED, flow_file), "device=cpu")


@pytest.fixture(scope="session")
def averaged_run(averaged_settings: tuple[object, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run by it, of one process that nothing disturbed."""
    return trained_here(tmp_path_factory.mktemp("averaged"), *averaged_settings)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def start(launcher: str, directory: Path, *settings: object) -> subprocess.Popen[str]:
    """Start a training with 2 processes by "deepspeed" or "torchrun"."""
    module, *options = {
        "deepspeed": ("deepspeed.launcher.runner", "--num_accelerators", "2", "--master_port"),
        "torchrun": ("torch.distributed.run", "--nproc-per-node", "2", "--master-port"),
    }[launcher]
    environment = {name: value for name, value in clean_environment().items() if name not in ("RANK", "WORLD_SIZE")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-m", module, *options, free_port(), ROOT / "dtrain" / "train.py", *map(str, settings)],
        cwd=directory,
        env=environment | {"DS_ACCELERATOR": "cpu"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> str:
    """A port of this machine that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def on_two(program: Callable[[Sequence[str]], None], directory: Path, *words: object, timeout: float = 200) -> str:
    """Run a program on two processes, forked from one that has done the imports; all that they printed."""
    codes, printed = on_processes(2, program, directory, *words, timeout=timeout)
    assert codes == [0, 0], printed
    return printed


def on_processes(
    n: int, program: Callable[[Sequence[str]], None], directory: Path, *words: object, timeout: float = 200
) -> tuple[list[int | None], str]:
    """Run a program on `n` such processes; their exit codes and all that they printed."""
    processes = begin_on(n, program, directory, *words)
    for process in processes:
        process.join(timeout)
        process.kill()
    return [process.exitcode for process in processes], (directory / "printed").read_text()


def begin_on(n: int, program: Callable[[Sequence[str]], None], directory: Path, *words: object) -> list:
    """Begin a program on `n` processes; what they print goes to the file "printed"."""
    join = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": str(n)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DS_ACCELERATOR", "cpu")  # for the one that imports
        processes = [
            READY.Process(target=_one_of, args=(program, directory, join | {"RANK": rank}, [*map(str, words)]))
            for rank in map(str, range(n))
        ]
        for process in processes:
            process.start()
    return processes


def require_goes_on(directory: Path, words: Sequence[object], n_then: int, whole: Sequence[float]) -> None:
    """Begin a training of TINY_AVERAGED on two processes, which its time limit ends, and go on with `n_then`.

    `whole` are the losses of an undisturbed run, of which the first part has to be short of the end.
    """
    codes, printed = on_processes(2, main, directory, *words, "minutes=0.001", "grace_seconds=150")
    assert codes[0] == UNFINISHED, printed
    n_before = len(losses(directory / "runs/tiny"))
    assert 0 < n_before < len(whole) - 2
    codes, printed = on_processes(n_then, main, directory, *words)
    assert codes == [0] * n_then and f"goes on after step {n_before}" in printed, printed


def _one_of(program: Callable, directory: Path, environment: dict[str, str], words: list[str]) -> None:
    os.environ.update(environment, LOCAL_RANK=environment["RANK"])
    os.chdir(directory)
    printed = os.open("printed", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    torch.set_num_threads(1)
    program(words)


@contextmanager
def outside_a_group() -> Iterator[pytest.MonkeyPatch]:
    """Without what a launcher tells a process of its group; restored at the end, whatever a program sets."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
            patch.setenv(name, "")
        yield patch


def call_here(program: Callable[[list[str]], object], *words: object) -> None:
    """A program in this process, alone."""
    with outside_a_group():
        program([*map(str, words)])


def train_here(directory: Path, *settings: object) -> tuple[int, str]:
    """Train in this process, which spares the imports; exit code and all that was printed."""
    printed = io.StringIO()
    with outside_a_group() as patch, redirect_stdout(printed), redirect_stderr(printed):
        patch.chdir(directory)
        patch.setenv("DS_ACCELERATOR", "cpu")
        try:
            main([str(setting) for setting in settings])
        except SystemExit as end:
            return int(end.code or 0), printed.getvalue()
    return 0, printed.getvalue()


def settings_of(folder: Path, recipe: str, file: Path) -> tuple[object, ...]:
    """The command line of a training by a recipe, which is written into a folder, on a file of flow."""
    path = folder / "tiny.toml"
    path.write_text(recipe)
    return path, f"data.file={file}", "threads=1"


def trained_here(directory: Path, *settings: object) -> Path:
    """Train a "tiny" run to its end in this process; its folder."""
    code, printed = train_here(directory, *settings)
    assert code == 0, printed
    return directory / "runs/tiny"


def curve(run: Path, name: str = "training") -> list[dict[str, str]]:
    """The rows of a table of a run."""
    with open(run / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def losses(run: Path, name: str = "training") -> list[float]:
    """The losses in a curve of a run."""
    return [float(row["loss"]) for row in curve(run, name)]


def finish(process: subprocess.Popen[str], timeout: float = 200) -> str:
    """Wait for the end; all that was printed."""
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()
        output, _ = process.communicate(timeout=20)
        pytest.fail(f"no end within {timeout} s:\n{output}")
    return output
