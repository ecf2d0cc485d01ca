"""Comparing predictions with the simulation on the samples held back, in shares over the processes.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.data.glass import Glass
from dtrain.data.pairs import distances
from dtrain.glass import published
from dtrain.glass.predictions import Prediction, write_predictions
from dtrain.glass.report import BONDS, Row
from dtrain.glass.scores import Pair, Score, chi4, peak, score
from dtrain.metrics import ceiling, scored_bonds, scored_particles
from runkit.arrays import F64, Bools, Floats
from runkit.extxyz import letter
from runkit.mpi import World


class Evaluation:
    """The samples to be scored at one time of one file; every method is collective, but for `about`."""

    def __init__(self, world: World, data: Glass, samples: Sequence[int], about: dict[str, Any]) -> None:
        self.world, self.data, self.samples, self._about = world, data, list(samples), about
        self.i_time = data.options.time

    def scored(self, name: str, found: Sequence[Prediction]) -> Row:
        """Compare the predictions of this rank's samples with the simulation."""
        parts = self.world.all_gather([self._compare(*one) for one in found])
        pairs = [pair for part in parts for pair in part]
        kinds = {kind: [pair[kind] for pair in pairs if kind in pair] for kind in self.kinds}
        return Row(name, {kind: _score(of_kind, kind) for kind, of_kind in kinds.items() if of_kind})

    def write(self, path: Path, found: Sequence[Prediction]) -> None:
        """Keep predictions for figures."""
        about = {**self._about, "dataset": self.data.options.file}
        write_predictions(self.world, path, self.data.dataset, (self.samples, self.data.at), found, about)

    def about(self, model: str, part: str) -> dict[str, Any]:
        """What was evaluated, and the ceiling that the noise of the labels sets (not collective)."""
        dataset, cage = self.data.dataset, self.data.options.cage
        return {
            "data": "glass",
            "model": model,
            "cage": {"replicas": cage.replicas, "time": cage.length} if cage.replicas else None,
            "file": self.data.options.file,
            "part": part,
            "samples": self.samples,
            "temperature": float(dataset["temperature"][self.samples[0]]),
            "time": self.data.at,
            "i_time": self.i_time,
            "n_replicas": dataset.sizes["replica"],
            "is_published": published.covers(dataset.config),
            "ceiling": {kind: ceiling(found) for kind in self.kinds if (found := self._reliability(kind)) is not None},
            "chi4": self._chi4_against_time(),
        }

    @property
    def kinds(self) -> list[str]:
        """What is scored: particles by the letter of their species, and bonds."""
        return [*map(letter, range(self.data.dataset.sizes["species"])), BONDS]

    def _reliability(self, kind: str) -> F64 | None:
        """Of the labels of each sample [n_samples]; None if the file does not have it."""
        dataset, i_time = self.data.dataset, self.i_time
        kept = {letter(0): "propensity_reliability", BONDS: "bond_change_reliability"}.get(kind, "")
        if kept in dataset:
            found: F64 = dataset[kept][:, i_time][self.samples]
            return found
        if kind in (letter(0), BONDS) or "propensity_error" not in dataset:
            return None
        each = []
        for sample in self.samples:  # of other species: the part of the spread that is not noise
            mask = self._mask(sample, kind)
            noise, spread = (dataset[name][sample, i_time][mask] for name in ("propensity_error", "propensity"))
            each.append(1 - np.mean(np.square(noise)) / np.var(spread) if len(set(spread)) > 1 else np.nan)
        return np.array(each) if np.isfinite(each).all() else None

    def _chi4_against_time(self) -> dict[str, Any]:
        """The susceptibility of the simulation at every time of the file, by species; where it peaks."""
        dataset = self.data.dataset
        times, found = dataset["time"][:], {}
        labels = [dataset["propensity"][sample] for sample in self.samples]
        for kind in self.kinds[:-1]:
            masks = [self._mask(sample, kind) for sample in self.samples]
            if not all(mask.any() for mask in masks):
                continue
            of_kind = [of_sample[:, mask] for of_sample, mask in zip(labels, masks, strict=True)]
            curve = [chi4([of_sample[k] for of_sample in of_kind]) for k in range(len(times))]
            highest = peak(times, curve)
            found[kind] = {
                "curve": [asdict(one) for one in curve],
                "peak": highest and {"time": highest[0], **asdict(highest[1])},
            }
        return {"time": times.tolist(), **found}

    def _mask(self, sample: int, kind: str) -> Bools:
        return scored_particles(self.data.dataset["species"][sample], self.kinds.index(kind))

    def _compare(self, sample: int, propensity: Floats, change: Floats) -> dict[str, Pair]:
        """(prediction, simulation) of the particles of each species and of the scored bonds of a sample."""
        dataset = self.data.dataset
        species, label = dataset["species"][sample], dataset["propensity"][sample, self.i_time]
        masks = {kind: self._mask(sample, kind) for kind in self.kinds[:-1]}
        pair = {kind: (propensity[mask], label[mask]) for kind, mask in masks.items() if mask.any()}
        if "bond_change" in dataset:
            bond = dataset["bond"][sample, : len(change)]
            distance = distances(dataset["initial_position"][sample], bond, dataset["box"][sample])
            near = scored_bonds(species, bond, distance)
            pair[BONDS] = (change[near], dataset["bond_change"][sample, self.i_time, : len(change)][near])
        return pair


def _score(pairs: Sequence[Pair], kind: str) -> Score:
    return score([x for x, _ in pairs], [y for _, y in pairs], has_chi4=kind != BONDS)
