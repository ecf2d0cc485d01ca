"""Score a trained network: `python dtrain/evaluate.py RUN [key=value …]`, also by `deepspeed` or `torchrun`.

Prints, and writes beside the model as evaluation.json and evaluation.csv: Pearson correlations with the simulation on
samples held back from training, as the field reports them, beside the noise ceiling, ridge regressions on simple local
descriptors fitted to the same training samples, and what was published for this temperature and time. The predictions
themselves go to evaluation.h5 and, of the better ridge regression, evaluation_ridge.h5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from dtrain import published
from dtrain.baseline import Baseline, add
from dtrain.checkpoint import load_model
from dtrain.data.glass import Glass
from dtrain.descriptors import pair_distance
from dtrain.metrics import Score, ceiling, score, scored_bonds, scored_particles
from dtrain.predict import Prediction, World, beside, open_data, predictions, write_predictions
from dtrain.ranks import connect
from dtrain.report import Row, report
from runkit.cli import run_program
from runkit.config import Config
from runkit.errors import UserError
from runkit.log import say
from runkit.progress import Progress


class Evaluate(Config):
    """Scores of a trained network beside baselines, noise ceiling and published figures."""

    run: str = Field(min_length=1, description="folder of a run, model.safetensors, or published weights (.pth)")
    file: str = Field("", description="ISOCONFIG file; none: the one of the training")
    time: int | None = Field(None, ge=0, description="index of the time in the file; none: the one that was learnt")
    part: Literal["test", "validation", "train", "all"] = Field("test", description="which samples are scored")
    ridge: bool = Field(True, description="fit the ridge regressions too")
    output: str = Field("", description="folder for the results; none: that of the model")
    device: str = Field("auto", pattern="^(auto|cpu|gpu)$", description="where the network is computed")
    threads: int = Field(0, ge=0, description="threads of a process; 0: its share of the node's cores")


def evaluate(options: Evaluate) -> None:
    """Score the network and its rivals on the chosen samples, shared out over the processes."""
    ranks = connect(options.device, options.threads)
    with ranks.together():
        world = World(ranks)
        model, recipe = load_model(options.run)
        data = open_data(recipe, options.run, options.file, options.time)
        parts = data.split.values() if options.part == "all" else [data.split[options.part]]
        samples = sorted(sample for part in parts for sample in part)
        if not samples:
            raise UserError(
                f"{data.options.file}: no sample is in part {options.part!r}; allowed: another part, or a split"
            )
        folder = Path(options.output) if options.output else beside(options.run)
        model.to(ranks.device)
        job = Job(world, data, samples, {"model": options.run, "config": recipe.model_dump(mode="json")})
        with Progress(world, len(world.share(len(samples))), "samples", "network") as progress:
            found = list(predictions(model, data, job.mine, progress))
        rows = [job.scored(recipe.model.name, found)]
        job.write(folder / "evaluation.h5", found)
        best = None
        if options.ridge:
            rivals = {f"ridge, {positions}": job.ridge(positions) for positions in ("thermal", "inherent")}
            rows += [job.scored(name, found) for name, found in rivals.items()]
            best = max(rows[1:], key=lambda row: np.nan_to_num(row.node.pearson, nan=-1.0)).name
            job.write(folder / "evaluation_ridge.h5", rivals[best])
        world.on_root(report, folder, {**job.about(options), "ridge": best}, rows)


class Job:
    """The samples to be scored at one time of one file; every method is collective."""

    def __init__(self, world: World, data: Glass, samples: Sequence[int], about: dict[str, Any]) -> None:
        self.world, self.data, self.samples, self._about = world, data, list(samples), about
        self.mine = [self.samples[i] for i in world.share(len(self.samples))]
        self.i_time = data.options.time

    def scored(self, name: str, found: Sequence[Prediction]) -> Row:
        """Compare the predictions of this rank's samples with the simulation."""
        parts = self.world.allgather([self._compare(*one) for one in found])
        pairs = [pair for part in parts for pair in part]
        return Row(name, *(_score([pair[kind] for pair in pairs if kind in pair]) for kind in ("node", "edge")))

    def ridge(self, positions: Literal["thermal", "inherent"]) -> list[Prediction]:
        """Fit the ridge regressions to the training samples and predict this rank's samples."""
        baseline = Baseline(self.data.dataset, self.i_time, positions)
        train = self.data.split["train"]
        share = [train[i] for i in self.world.share(len(train))]
        say(self.world, f"ridge regression on {positions} positions of {len(train)} training samples")
        baseline.fit(reduce(add, self.world.allgather(baseline.moments(share))), self.data.split["validation"])
        return [(sample, *baseline.predict(sample)) for sample in self.mine]

    def write(self, path: Path, found: Sequence[Prediction]) -> None:
        """Keep predictions for figures."""
        about = {**self._about, "dataset": self.data.options.file}
        write_predictions(self.world, path, self.data.dataset, (self.samples, self.i_time), found, about)

    def about(self, options: Evaluate) -> dict[str, Any]:
        """What was evaluated, and the ceiling that the noise of the labels sets."""
        dataset = self.data.dataset
        reliable = {
            kind: dataset[f"{name}_reliability"][:, self.i_time][self.samples]
            for kind, name in (("node", "propensity"), ("edge", "bond_change"))
            if f"{name}_reliability" in dataset
        }
        return {
            "model": options.run,
            "file": self.data.options.file,
            "part": options.part,
            "samples": self.samples,
            "n_train": len(self.data.split["train"]),
            "temperature": float(dataset["temperature"][self.samples[0]]),
            "time": float(dataset["time"][self.i_time]),
            "i_time": self.i_time,
            "n_replicas": dataset.sizes["replica"],
            "is_published": published.covers(dataset.config),
            "ceiling": {kind: ceiling(values) for kind, values in reliable.items()},
        }

    def _compare(self, sample: int, propensity: np.ndarray, change: np.ndarray) -> dict[str, tuple]:
        """(prediction, simulation) of the scored particles and bonds of a sample."""
        dataset = self.data.dataset
        species = dataset["species"][sample]
        mask = scored_particles(species)
        pair = {"node": (propensity[mask], dataset["propensity"][sample, self.i_time][mask])}
        if "bond_change" in dataset:
            bond = dataset["bond"][sample, : len(change)]
            distance = pair_distance(dataset["initial_position"][sample], bond, dataset["box"][sample])
            near = scored_bonds(species, bond, distance)
            pair["edge"] = (change[near], dataset["bond_change"][sample, self.i_time, : len(change)][near])
        return pair


def _score(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Score | None:
    return score([predicted for predicted, _ in pairs], [simulated for _, simulated in pairs]) if pairs else None


if __name__ == "__main__":
    run_program("python dtrain/evaluate.py", Evaluate, evaluate, positional=("run",))
