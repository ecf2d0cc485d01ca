"""What is tried: each program with a small case, how it is started, and what its result is."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from runkit.config import load
from runkit.mpi import single_threaded
from tools.faults.launched import End, Launched, fork, start
from tools.mpiexec import mpiexec

ONLY_NOW = {"created", "code_version", "attributes_checksum"}  # attributes that differ from run to run
LIMIT = 300.0  # seconds after which a program hangs: hundreds of times what it takes on a free machine

MD = """\
output = "a.h5"
device = "cpu"
checkpoint_seconds = 0
[system]
n_particles = 160
temperature = 1.0
[production]
n_samples = 2
n_replicas = 4
times = [0.05, 0.1, 0.2, 0.4]
[initial]
melt_time = 0.1
cooling_time = 0.1
hold_time = 0.2
"""
LBM = """\
output = "a.h5"
n_cases = 4
device = "cpu"
checkpoint_seconds = 0
[grid]
cells = [48, 32]
refinement = 1
[frames]
count = 6
every = 40
warm_up = 0.1
[flow]
reynolds = 20.0
"""
# What both recipes begin with.
TRAINING = """\
name = "run"
output = "."
device = "cpu"
threads = 1
batch = 1
micro = 0
log_every = 1
validate_every = 0.5
"""
TRAIN = (
    TRAINING
    + """\
[model]
name = "flow-cnn"
parameters = { widths = [4] }
[data]
name = "flow"
file = "data.h5"
horizon = 3
split = { train = 2, validation = 1, test = 1 }
[phase.one]
epochs = 4
learning_rate = 1e-3
"""
)
GLASS = (
    TRAINING
    + """\
[model]
name = "botan"
parameters = { rounds = 1 }
[data]
name = "glass"
file = "data.h5"
time = 1
positions = "thermal"
keep_pairs = true
split = { train = 1, validation = 1, test = 0 }
[phase.one]
epochs = 6
learning_rate = 1e-3
"""
)


@dataclass
class Target:
    """A program and its case. `output` is what a run makes, in the folder of a trial."""

    name: str
    case: str
    output: str
    main: Callable[[list[str]], None]
    module: tuple[str, ...]
    content: Callable[[Path], Any]
    data: Path | None = None
    ranks: int = 1
    reference: Any = None
    seconds: dict[int, float] = field(default_factory=dict)  # of an undisturbed run, by the number of ranks
    folder: Path = Path()  # of the undisturbed run

    def prepare(self, folder: Path) -> None:
        """The case, and its data, in a folder."""
        folder.mkdir(parents=True)
        (folder / "case.toml").write_text(self.case)
        if self.data is not None:
            shutil.copy(self.data, folder / "data.h5")

    def run(
        self,
        folder: Path,
        *words: str,
        ranks: int | None = None,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        anew: bool = False,
    ) -> Launched:
        """Start the program; `anew` as a process of its own, which reads its environment from the start."""
        ranks = ranks or self.ranks
        line = ["case.toml", *words]
        surroundings = {"DS_ACCELERATOR": "cpu", **(environment or {})}
        if ranks == 1 and not anew:
            return fork(self.main, line, folder, surroundings, before)
        launcher = [mpiexec(), "-n", str(ranks)] if ranks > 1 else []
        return start([*launcher, sys.executable, *self.module, *line], folder, surroundings, before)

    def output_in(self, folder: str) -> str:
        """The word that has a run make its output in a folder: generators are given a file, trainings a folder."""
        return f"output={folder}" if "/" in self.output else f"output={folder}/{self.output}"

    def result(self, folder: Path) -> Any:
        """The content of the result in a folder; None if there is none."""
        return self.content(folder) if (folder / self.output).exists() else None

    def measure(self, folder: Path, ranks: int) -> End:
        """An undisturbed run, against which others are held."""
        self.prepare(folder)
        begun = time.monotonic()
        end = self.run(folder, ranks=ranks).wait(LIMIT)
        self.seconds[ranks] = time.monotonic() - begun
        if self.reference is None:
            self.reference, self.folder = self.result(folder), folder
        return end


def arrays_of(path: Path) -> dict[str, Any]:
    """All arrays and attributes of an HDF5 file, but for time and code of its making."""
    found: dict[str, Any] = {}

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        for key, value in item.attrs.items():
            if key not in ONLY_NOW:
                found[f"{name}@{key}"] = np.asarray(value).tolist()
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with h5py.File(path, "r", locking=False) as file:
        look("/", file)
        file.visititems(look)
    return found


def _dataset(folder: Path) -> dict[str, Any]:
    return arrays_of(folder / "a.h5")


def _training(folder: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(folder / "run/model.safetensors", "np") as file:
        header = dict(file.metadata() or {})
        found: dict[str, Any] = {name: file.get_tensor(name).tobytes() for name in list(file.keys())}
    found |= {key: header[key] for key in ("recipe", "sizes", "normalisation", "about")}
    for curve in ("training", "validation"):
        with open(folder / f"run/{curve}.csv", newline="") as table:
            found[curve] = list(csv.reader(table))
    summary = json.loads((folder / "run/summary.json").read_text())
    return {**found, "summary": {key: value for key, value in summary.items() if key != "pace"}}


def _generator(name: str) -> Callable[[list[str]], None]:
    def main(words: list[str]) -> None:
        from importlib import import_module

        sys.argv = [name, *words]
        import_module(f"{name}.__main__").main()

    return main


def _train(words: list[str]) -> None:
    from dtrain.train import main

    main(words)


def targets() -> dict[str, Target]:
    """All of them, ready to be run."""
    _prepare()
    import dtrain.train

    script = (str(Path(dtrain.train.__file__)),)
    on_two = TRAIN.replace("batch = 1", "batch = 2")
    made = [
        Target("mdgen", MD, "a.h5", _generator("mdgen"), ("-m", "mdgen"), _dataset),
        Target("lbmgen", LBM, "a.h5", _generator("lbmgen"), ("-m", "lbmgen"), _dataset),
        Target("dtrain", TRAIN, "run/summary.json", _train, script, _training),
        Target("dtrain-ranks", on_two, "run/summary.json", _train, script, _training, ranks=2),
        Target("dtrain-glass", GLASS, "run/summary.json", _train, script, _training),
    ]
    return {target.name: target for target in made}


def _prepare() -> None:
    """Import what they need, and compile their kernels."""
    single_threaded()
    os.environ["DS_ACCELERATOR"] = "cpu"
    import deepspeed  # noqa: F401
    import torch

    import lbmgen.config
    import lbmgen.run
    import mdgen.config
    from lbmgen.cases import draw_all
    from mdgen.dynamics import warm_up
    from mdgen.equilibration import melt_thermostat
    from mdgen.resolve import potential_of
    from runkit.mpi import SerialWorld

    torch.set_num_threads(1)
    md = load(mdgen.config.RunConfig, None, ["device=cpu"])
    for precision in ("float64", md.integrator.precision):
        for coupling in (None, melt_thermostat(md, [0, 1])):
            warm_up(potential_of(md), precision, None, coupling)
    changes = ["device=cpu", "n_cases=1", "grid.cells=[48,32]", "grid.refinement=1", "flow.reynolds=20.0"]
    config = load(lbmgen.config.RunConfig, None, changes)
    lbmgen.run._compile(config, draw_all(config, SerialWorld())[0], None)
