"""Isoconfigurational ensembles at several times and temperatures at once, for networks that answer at any of them.

Every sample is one graph with labels at all times of its file. Labels are told apart into the level of a configuration,
mean and spread of each kind of item (particles of a species, pairs of two species near or far), and what is left: the
labels in units of that spread, so that both what differs within a configuration and what differs between configurations
are learnt at their own scale. A graph counts by how far the noise of its labels exceeds what cannot be learnt anyway.

Units: Lennard-Jones; labels that are left over have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dtrain.data import Output, data
from dtrain.data.glass import can_keep
from dtrain.data.glass_files import Place, TimesOptions, open_files, place_of
from dtrain.data.graph_set import GlassLoss, GraphSet
from dtrain.data.graphs import Graphs
from dtrain.data.levels import Level, kinds_of, level_of
from dtrain.data.store import GIB, Store
from dtrain.metrics import pearson, scored_particles
from dtrain.normalisation import Normalisation
from runkit.arrays import F32
from runkit.errors import UserError
from runkit.log import say
from runkit.mpi import World

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass(frozen=True)
class TimedGraphs(Graphs):
    """Graphs with targets of particles [n, n_knots] and of edges [n_edges, n_knots], zero where there is no label.

    `weight` [n_graphs, n_knots, 2] is that of particles and of edges, 0 without a label; `level` [n_graphs, n_kinds,
    n_knots, 2] the terms of their levels (`Level.terms`), NaN where unknown.
    """

    level: Tensor

    @property
    def terms(self) -> tuple[Tensor | tuple[Tensor, ...], ...]:
        return *super().terms, self.level


@data("glass-times")
class GlassTimes(GraphSet[TimedGraphs]):
    """The graphs of some ISOCONFIG files, numbered as `place_of` says."""

    Options, Loss = TimesOptions, GlassLoss
    options: TimesOptions

    def __init__(self, options: TimesOptions, seed: int = 0) -> None:
        self.options, self.seed = options, seed
        self.files, self.knots = open_files(options, seed)
        self.n_samples = sum(one.n_samples for one in self.files)
        cpu = torch.device("cpu")
        self._store = Store(cpu, cpu, options.memory * GIB, 0)
        self._levels: dict[int, list[Level]] = {}  # of samples that were made, for their reversed replicas

    @cached_property
    def parts(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for one in self.files:
            for part, samples in one.at[0].parts.items():
                found.setdefault(part, []).extend(one.start + sample for sample in samples)
        return found

    @property
    def split(self) -> dict[str, list[int]]:
        train = self.parts["train"]
        n_blocks = max(len(one.at) for one in self.files) * self.options.reversed
        reversed_ones = [number + (1 + block) * self.n_samples for block in range(n_blocks) for number in train]
        known = [number for number in reversed_ones if place_of(self.files, number, self.options.reversed)]
        return {**self.parts, "train": train + known}

    @property
    def normalisation(self) -> Normalisation:
        return Normalisation.identity(2)  # targets have their own levels

    @property
    def usable(self) -> list[int]:
        return [one.start + sample for one in self.files for sample in one.at[0].usable]

    def mark(self, number: int) -> str:
        place = self._place(number)
        return place.file.at[0].mark(place.sample)

    @property
    def system(self) -> dict[str, Any]:
        first = self.files[0].at[0].system
        temperatures = sorted({one for file in self.files for one in file.at[0].system["temperature"]})
        of_knots = {
            "knot_temperatures": self.knots.temperatures,
            "knot_times": self.knots.times,
            "knot_mobility": self._mobility,
        }
        return {**first, "temperature": temperatures, "time": self.knots.times[0][-1], **of_knots}

    @cached_property
    def _mobility(self) -> list[list[float]]:
        """Of each temperature at each of its times the logarithm of the mean propensity of scored particles."""
        found: dict[int, list[float]] = {}
        for file in self.files:
            for knot, glass in zip(file.knots, file.at, strict=True):
                for sample in file.own(self.parts["train"]):
                    is_scored = scored_particles(glass.dataset["species"][sample])
                    moved = glass.dataset["propensity"][sample, glass.options.time][is_scored].mean()
                    found.setdefault(knot, []).append(float(np.log(moved)))
        means, n_times = [float(np.mean(found[knot])) for knot in sorted(found)], list(map(len, self.knots.times))
        return [means[end - n : end] for n, end in zip(n_times, np.cumsum(n_times).tolist(), strict=True)]

    def require(self, options: GlassLoss) -> None:
        self.options.cage.require_short(self._times[-1])
        for one in self.files:
            one.at[0].require_labels(options)

    @property
    def sizes(self) -> dict[str, Any]:
        return {**self.files[0].at[0].sizes, "n_knots": len(self.knots)}

    def prepare(self, world: World) -> None:
        within = [time for time in self._times if time <= self.options.cage.length]
        if within:
            told = f"t = {', '.join(f'{time:g}' for time in within)} are times of this simulation itself"
            say(world, f"data.cage.time = {self.options.cage.length:g}: {told}")
        for one in self.files:
            for at in one.at:
                at.parts.update({"train": one.own(self.parts["train"])})
            if can_keep(world, one.at[0]):
                for at in one.at if self.options.reversed else one.at[:1]:  # samples are the same at all times
                    at.make_kept(world)

    @property
    def _times(self) -> list[float]:
        """All times that are learnt."""
        return sorted({at.at for one in self.files for at in one.at})

    def place(self, device: torch.device) -> str:
        numbers = self.split["train"] + self.split["validation"]
        n_bytes = len(numbers) * self._example(numbers[0]).nbytes
        self._store = Store.choose(device, n_bytes, self.options.memory, self.options.device_memory)
        return str(self._store)

    def loss(self, output: Output, batch: TimedGraphs, options: GlassLoss) -> dict[str, Tensor]:
        """p times the squared errors of particles and 1 - p times those of edges, weighted by knot [n_graphs]."""
        known = (batch.weight[:, :, 0] > 0).sum(dim=1)
        node, edge = (
            torch.stack([error.square().mean(dim=0) for error in torch.split(found - wanted, list(counts))])
            for found, wanted, counts in zip(output, batch.targets, (batch.n_nodes, batch.n_edges), strict=False)
        )
        of_nodes, of_edges = (
            (batch.weight[:, :, i] * error).sum(dim=1) / known for i, error in enumerate((node, edge))
        )
        return {
            "loss": options.p * of_nodes + (1 - options.p) * of_edges,
            "node_loss": of_nodes,
            "edge_loss": of_edges,
        }

    @staticmethod
    def scores(output: Output, batch: TimedGraphs) -> dict[str, float]:
        """Mean over the labelled times of the correlation of scored particles, and of scored edges."""
        known = torch.nonzero(batch.weight[0, :, 0]).flatten().tolist()
        names = "rho_node", "rho_edge"
        of_items = zip(names, output, batch.targets, batch.masks, strict=False)
        return {
            name: float(np.mean([pearson(found[mask, k].cpu().numpy(), wanted[mask, k].cpu().numpy()) for k in known]))
            for name, found, wanted, mask in of_items
        }

    def _place(self, number: int) -> Place:
        place = place_of(self.files, number, self.options.reversed)
        assert place is not None
        return place

    def _example(self, number: int) -> TimedGraphs:
        place = self._place(number)
        file, glass = place.file, place.file.at[place.i_time]
        structure = glass.structure(place.sample if place.reversed_number is None else place.reversed_number)
        is_reversed = place.reversed_number is not None
        levels, found = self._seen_once(place, structure) if is_reversed else self._ensemble(place)
        knots: Sequence[int] = [file.knots[place.i_time]] if is_reversed else file.knots
        self._require_finite(number, found)
        node, edge = (
            _at_knots(np.stack(of_kind, axis=1), knots, len(self.knots)) for of_kind in zip(*found, strict=True)
        )
        weight = np.zeros((1, len(self.knots), 2), np.float32)
        kinds = np.full((1, len(levels[0].mean), len(self.knots), 2), np.nan, np.float32)
        for level, knot in zip(levels, knots, strict=True):
            weight[0, knot] = level.weights(self.options.unexplained)
            kinds[0, :, knot] = level.terms(with_spread=not is_reversed)
        return TimedGraphs(
            *self.inputs(structure),
            node_target=torch.from_numpy(node),
            edge_target=torch.from_numpy(edge)[structure.pair.long()],
            node_mask=structure.node_mask,
            edge_mask=structure.edge_mask,
            weight=torch.from_numpy(weight),
            n_nodes=(len(node),),
            n_edges=(len(structure.pair),),
            level=torch.from_numpy(kinds),
        )

    def _ensemble(self, place: Place) -> tuple[list[Level], list[tuple[F32, F32]]]:
        """The levels of a sample at all times of its file, and its labels in units of them."""
        file, first, sample = place.file, place.file.at[0], place.sample
        n_species = first.dataset.sizes["species"]
        kinds = kinds_of(first.configurations.get(sample), first.bond(sample), n_species)
        labels = [at.targets(sample) for at in file.at]
        levels = [
            level_of(kinds, of_time, at.errors(sample), n_species) for of_time, at in zip(labels, file.at, strict=True)
        ]
        self._levels[file.start + sample] = levels
        return levels, [level.standardised(kinds, of_time) for level, of_time in zip(levels, labels, strict=True)]

    def _seen_once(self, place: Place, structure: Data) -> tuple[list[Level], list[tuple[F32, F32]]]:
        """The same of a reversed replica, at its time alone."""
        glass, number = place.file.at[place.i_time], structure.sample
        sizes, labels = glass.dataset.sizes, glass.configurations.labels(number, structure.pairs)
        kinds = kinds_of(glass.configurations.get(number), structure.pairs, sizes["species"])
        of_ensemble = self._levels.get(place.file.start + place.sample) or self._ensemble(place)[0]
        level = level_of(kinds, labels, None, sizes["species"])
        level = level.seen_once(of_ensemble[place.i_time], sizes["replica"])
        return [level], [level.standardised(kinds, labels)]

    def _require_finite(self, number: int, found: Sequence[tuple[F32, F32]]) -> None:
        if not all(np.isfinite(values).all() for of_time in found for values in of_time):
            place = self._place(number)
            raise UserError(f"{place.file.at[0].options.file}: sample {place.sample} has labels that are not finite")


def _at_knots(values: F32, knots: Sequence[int], n_knots: int) -> F32:
    """Columns [n, n_times] at the places of their knots [n, n_knots], zero elsewhere."""
    found = np.zeros((len(values), n_knots), np.float32)
    found[:, list(knots)] = values
    return found
