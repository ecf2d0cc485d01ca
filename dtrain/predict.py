"""Predict with a trained network: `python dtrain/predict.py MODEL FILE [key=value …]`; also by `deepspeed`, `torchrun`.

MODEL is the folder of a run, a `model.safetensors`, or published weights; FILE an ISOCONFIG file. The result is a
PREDICTION file, by default `predictions.h5` beside the model: propensity of every particle and change of every bond.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from dtrain.checkpoint import about_model, load_model
from dtrain.config import Recipe
from dtrain.data.glass import Glass
from dtrain.data.split import Split
from dtrain.normalisation import Physical
from dtrain.ranks import Ranks, connect
from runkit.cli import run_program
from runkit.config import Config
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, PREDICTION
from runkit.dataset.writer import Writer
from runkit.errors import UserError
from runkit.log import say
from runkit.mpi import SerialWorld
from runkit.progress import Progress

Prediction = tuple[int, np.ndarray, np.ndarray]  # sample, propensity [n_particles], bond change [n_bonds]


class Predict(Config):
    """Predictions of a trained network for the samples of an ISOCONFIG file, into HDF5."""

    model: str = Field(min_length=1, description="folder of a run, model.safetensors, or published weights (.pth)")
    file: str = Field(min_length=1, description="ISOCONFIG file with the structures")
    output: str = Field("", description="file to write; none: predictions.h5 beside the model")
    time: int | None = Field(None, ge=0, description="index of the time in the file; none: the one that was learnt")
    device: str = Field("auto", pattern="^(auto|cpu|gpu)$", description="where the network is computed")
    threads: int = Field(0, ge=0, description="threads of a process; 0: its share of the node's cores")


class World(SerialWorld):
    """The processes that torch has joined, as runkit's writer and log know them."""

    def __init__(self, ranks: Ranks) -> None:
        self.comm, self.rank, self.size, self._ranks = None, ranks.rank, ranks.size, ranks

    def barrier(self) -> None:
        self._ranks.barrier()

    def bcast(self, value: Any, root: int = 0) -> Any:
        return self._ranks.gather(value if self.rank == root else None)[root]

    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        values = self._ranks.gather(value)
        return values if self.rank == root else None

    def allgather(self, value: Any) -> list[Any]:
        return self._ranks.gather(value)


def predict(options: Predict) -> None:
    """Predict all samples, shared out over the processes."""
    ranks = connect(options.device, options.threads)
    with ranks.together():
        world = World(ranks)
        model, recipe = load_model(options.model)
        data = open_data(recipe, options.model, options.file, options.time, whole=True)
        samples = data.split["train"]
        output = Path(options.output) if options.output else beside(options.model) / "predictions.h5"
        model.to(ranks.device)
        with Progress(world, len(world.share(len(samples))), "samples", "predict") as progress:
            rows = predictions(model, data, [samples[i] for i in world.share(len(samples))], progress)
            about = {"config": recipe.model_dump(mode="json"), "model": options.model, "dataset": options.file}
            write_predictions(world, output, data.dataset, (samples, data.options.time), rows, about)
        say(world, f"wrote {output}: {len(samples)} samples")


def open_data(recipe: Recipe, model: str, file: str = "", time: int | None = None, whole: bool = False) -> Glass:
    """The data as the model was trained on it, or another file or time; `whole` puts all samples into "train".

    Raises UserError if the model is not for ISOCONFIG data or the file does not suit it.
    """
    options: Any = recipe.data_in(learnt_phase(recipe, model))
    if options.name != "glass":
        raise UserError(f"{model} was trained on {options.name} data; a network for ISOCONFIG data is needed")
    changes: dict[str, Any] = {"file": file or options.file, "time": options.time if time is None else time}
    if whole:
        changes["split"] = Split(train=1.0, validation=0.0, test=0.0)
    return Glass(options.model_copy(update=changes), seed=recipe.seed)


def learnt_phase(recipe: Recipe, model: str) -> str:
    """The phase of training that the weights come from."""
    path = Path(model) / "model.safetensors" if Path(model).is_dir() else Path(model)
    phase = about_model(path).get("phase") if path.suffix == ".safetensors" else None
    return str(phase or list(recipe.phase)[-1])


def beside(model: str) -> Path:
    """The folder of a model."""
    return Path(model) if Path(model).is_dir() else Path(model).parent


def predictions(model: Physical, data: Glass, samples: Sequence[int], progress: Progress) -> Iterable[Prediction]:
    """The network's answers, one sample at a time; a bond's is the mean of its two directions."""
    device = next(model.parameters()).device
    for sample in samples:
        graph = data.structure(sample).to(device)
        propensity, change = model.predict(*data.inputs(graph))
        pair = graph.pair.cpu().numpy()
        n_bonds = len(pair) // 2
        yield sample, propensity, np.bincount(pair, weights=change, minlength=n_bonds) / 2
        progress.advance()


def write_predictions(
    world: World,
    path: Path,
    dataset: Dataset,
    which: tuple[Sequence[int], int],
    rows: Iterable[Prediction],
    about: Mapping[str, Any],
) -> None:
    """Write the PREDICTION file of samples and a time index, replacing an old one; collective.

    `rows` are this rank's predictions; together those of all ranks are the samples, each once.
    """
    samples, i_time = which
    lengths = dataset.sizes
    sizes = {"sample": len(samples), "time": 1, "particle": lengths["particle"], "bond": lengths["bond"]}
    if world.is_root:
        for old in (path, path.with_name(path.name + ".part")):
            old.unlink(missing_ok=True)
    with Writer.open(world, path, PREDICTION, sizes, about) as file:
        if world.is_root:
            file.write("time", (0,), dataset["time"][i_time])
            file.write("sample", (), np.array(samples, dtype=np.int32))
        for sample, propensity, change in rows:
            place, n_bonds, capacity = samples.index(sample), len(change), sizes["bond"]
            file.write("propensity", (place, 0), propensity)
            file.write("n_bonds", (place,), n_bonds)
            file.write("bond", (place,), dataset["bond"][sample])
            file.write("bond_change", (place, 0), np.pad(change, (0, capacity - n_bonds), constant_values=np.nan))
            file.mark("predicted", (place,), COMPLETE)
        file.seal()


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run_program("python dtrain/predict.py", Predict, predict, positional=("model", "file"))
