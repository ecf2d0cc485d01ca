"""Comparing predictions with the simulation on the samples held back, in shares over the processes.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.data.glass import Glass
from dtrain.data.graphs import minimum_image
from dtrain.glass import published
from dtrain.glass.predictions import Prediction, predictions, write_predictions
from dtrain.glass.report import Row
from dtrain.least_squares import solve
from dtrain.metrics import Score, ceiling, score, scored_bonds, scored_particles
from dtrain.models.linear import Linear
from dtrain.weights import Trained
from runkit.arrays import Floats
from runkit.mpi import World
from runkit.progress import Progress


class Evaluation:
    """The samples to be scored at one time of one file; every method is collective."""

    def __init__(self, world: World, data: Glass, samples: Sequence[int], about: dict[str, Any]) -> None:
        self.world, self.data, self.samples, self._about = world, data, list(samples), about
        self.mine = [self.samples[i] for i in world.share(len(self.samples))]
        self.i_time = data.options.time

    def scored(self, name: str, found: Sequence[Prediction]) -> Row:
        """Compare the predictions of this rank's samples with the simulation."""
        parts = self.world.all_gather([self._compare(*one) for one in found])
        pairs = [pair for part in parts for pair in part]
        return Row(name, *(_score([pair[kind] for pair in pairs if kind in pair]) for kind in ("node", "edge")))

    def rival(self, trained: Trained) -> list[Prediction]:
        """Solve the linear model of descriptors on the samples that a network was trained on; this rank's samples."""
        keys = {"descriptors": True, "positions": "both", "augment": False}
        data = Glass(self.data.options.model_copy(update=keys), seed=self.data.seed)
        data.parts.clear()
        data.parts.update(self.data.parts)
        data.prepare(self.world)
        network = Linear(**data.sizes)
        solve(self.world, network, data, "linear model")
        linear = replace(trained, network=network, normalisation=data.normalisation)
        with Progress(self.world, len(self.mine), "samples", "linear model") as progress:
            return list(predictions(linear, data, self.mine, progress))

    def write(self, path: Path, found: Sequence[Prediction]) -> None:
        """Keep predictions for figures."""
        about = {**self._about, "dataset": self.data.options.file}
        write_predictions(self.world, path, self.data.dataset, (self.samples, self.i_time), found, about)

    def about(self, model: str, part: str) -> dict[str, Any]:
        """What was evaluated, and the ceiling that the noise of the labels sets."""
        dataset = self.data.dataset
        reliable = {
            kind: dataset[f"{name}_reliability"][:, self.i_time][self.samples]
            for kind, name in (("node", "propensity"), ("edge", "bond_change"))
            if f"{name}_reliability" in dataset
        }
        return {
            "data": "glass",
            "model": model,
            "file": self.data.options.file,
            "part": part,
            "samples": self.samples,
            "n_train": len(self.data.parts["train"]),
            "temperature": float(dataset["temperature"][self.samples[0]]),
            "time": float(dataset["time"][self.i_time]),
            "i_time": self.i_time,
            "n_replicas": dataset.sizes["replica"],
            "is_published": published.covers(dataset.config),
            "ceiling": {kind: ceiling(values) for kind, values in reliable.items()},
        }

    def _compare(self, sample: int, propensity: Floats, change: Floats) -> dict[str, tuple[Floats, Floats]]:
        """(prediction, simulation) of the scored particles and bonds of a sample."""
        dataset = self.data.dataset
        species = dataset["species"][sample]
        mask = scored_particles(species)
        pair = {"node": (propensity[mask], dataset["propensity"][sample, self.i_time][mask])}
        if "bond_change" in dataset:
            bond = dataset["bond"][sample, : len(change)]
            position = dataset["initial_position"][sample]
            vector = minimum_image(position[bond[:, 1]] - position[bond[:, 0]], dataset["box"][sample])
            distance = np.linalg.norm(vector, axis=1)
            near = scored_bonds(species, bond, distance)
            pair["edge"] = (change[near], dataset["bond_change"][sample, self.i_time, : len(change)][near])
        return pair


def _score(pairs: Sequence[tuple[Floats, Floats]]) -> Score | None:
    return score([predicted for predicted, _ in pairs], [simulated for _, simulated in pairs]) if pairs else None
