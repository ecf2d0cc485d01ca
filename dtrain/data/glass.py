"""Isoconfigurational ensembles of glass formers as graphs: structure in, propensity and bond change out.

Edges are the bonds that the file labels, at the initial (thermal) positions (`glass_graphs`).

Units: Lennard-Jones.
"""

from __future__ import annotations

import math
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dtrain.data import Output, complete, data, dataset_at, mark_of
from dtrain.data.configurations import Configuration, Configurations, law_of
from dtrain.data.descriptors import n_descriptors, n_leading
from dtrain.data.glass_graphs import POSITIONS, GraphOptions, cage_options, features_of, structure_of
from dtrain.data.graph_set import GlassLoss, GraphSet
from dtrain.data.graphs import Graphs
from dtrain.data.kept import kept
from dtrain.data.pairs import near_pairs
from dtrain.data.store import Store
from dtrain.losses import node_edge
from dtrain.metrics import pearson
from dtrain.normalisation import Normalisation
from runkit.arrays import Array, Floats, Ints
from runkit.dataset.schema import COMPLETE, PENDING
from runkit.errors import UserError
from runkit.log import say
from runkit.mpi import World
from runkit.progress import Progress

if TYPE_CHECKING:
    from torch_geometric.data import Data


class GlassOptions(GraphOptions):
    """Keys of [data]."""

    name: Literal["glass"] = Field("glass", description="name of a registered data set")
    time: int = Field(0, ge=0, description="index of the time to learn")
    reversed_weight: float = Field(
        0.2, gt=0, le=1, description="weight of a reversed replica in the loss; its labels are those of one trajectory"
    )
    normalise: bool = Field(True, description="targets in units of their spread over the training samples")


@data("glass")
class Glass(GraphSet[Graphs]):
    """The graphs of an ISOCONFIG file."""

    Options, Loss = GlassOptions, GlassLoss
    options: GlassOptions

    def __init__(self, options: GlassOptions, seed: int = 0) -> None:
        self.options, self.seed = options, seed
        self.dataset = dataset_at(options.file, "ISOCONFIG")
        times = self.dataset["time"][:]
        if options.time >= len(times):
            raise UserError(
                f"data.time = {options.time} is not in {options.file}, where 0 to {len(times) - 1} are the times "
                f"{', '.join(f'{time:g}' for time in times)}"
            )
        label = self.dataset.config.get("label")
        bond = label.get("bond_cutoff") if isinstance(label, dict) else None
        if isinstance(bond, (int, float)) and not math.isclose(bond, options.cutoff, rel_tol=1e-9):
            told = f"{options.file} labels bonds up to {bond:g}"
            raise UserError(f"data.cutoff = {options.cutoff:g}: {told}; set data.cutoff to that")
        self.configurations = Configurations(self.dataset, options.time, options.reversed, cage_options(options))
        self._store = self._choose_store(torch.device("cpu"))

    @property
    def split(self) -> dict[str, list[int]]:
        return {**self.parts, "train": self.configurations.with_reversed(self.parts["train"])}

    def require(self, options: GlassLoss) -> None:
        self.options.cage.require_short(self.at)
        self.require_labels(options)

    def require_labels(self, options: GlassLoss) -> None:
        """Raise UserError where labels are missing that a loss needs."""
        if options.p < 1 and not self.has_bond_change:
            raise UserError(f"{self.options.file} does not label bonds; loss.p = 1 learns from particles alone")

    @cached_property
    def parts(self) -> dict[str, list[int]]:
        return self.options.split.draw(self._labelled())

    def prepare(self, world: World) -> None:
        if can_keep(world, self):
            self.make_kept(world)

    def make_kept(self, world: World) -> None:
        """Make what is kept beside the file (cages, inherent structures of reversed replicas), shared out; collective.

        That is for training and validation.
        """
        numbers = self.configurations.kept_of(self.split["train"] + self.split["validation"])
        title, what = f"inherent structures of reversed replicas at t = {self.at:g}", "replicas"
        if self.options.cage.replicas:
            title, what = f"cages to t = {self.options.cage.length:g}", "configurations"
        with Progress(world, len(world.share(len(numbers))), what, title) as progress:

            def make(i: int) -> None:
                self.configurations.seen(numbers[i])
                progress.advance()

            world.each(make, len(numbers))

    @property
    def usable(self) -> list[int]:
        return self._labelled()

    @property
    def at(self) -> float:
        """The time that is learnt."""
        return float(self.dataset["time"][self.options.time])

    @property
    def system(self) -> dict[str, Any]:
        told = self.dataset.config.get("system", {})
        kept = {key: told[key] for key in ("potential", "parameters", "density") if key in told}
        temperature = sorted(set(self.dataset["temperature"][:].tolist()))
        sizes = {"n_species": self.dataset.sizes["species"], "n_replicas": self.dataset.sizes["replica"]}
        return {**kept, **sizes, "temperature": temperature, "time": self.at}

    def mark(self, sample: int) -> str:
        return mark_of(*(self.dataset[name][sample] for name in ("box", "species", "initial_position")))

    @property
    def sizes(self) -> dict[str, int]:
        n_species = self.dataset.sizes["species"]
        has_cage = self.configurations.cage is not None
        width = 1 + (n_descriptors(n_species, has_cage) if self.options.descriptors else 0)
        edge_width = 3 * len(POSITIONS[self.options.positions])
        known = {"n_species": n_species, "n_leading": n_leading(n_species, has_cage)}
        return {"node_width": width, "edge_width": edge_width, **known}

    @cached_property
    def normalisation(self) -> Normalisation:
        if not self.options.normalise:
            return Normalisation.identity(2)
        targets = [self.targets(sample) for sample in self.parts["train"]]
        node, edge = (np.concatenate(parts) for parts in zip(*targets, strict=True))
        if self.has_bond_change:
            return Normalisation.of(node, edge)
        alone = Normalisation.of(node)
        return Normalisation((*alone.mean, 0.0), (*alone.std, 1.0))

    @property
    def has_bond_change(self) -> bool:
        """Whether the file labels bonds; imported data may not."""
        return "bond_change" in self.dataset

    def targets(self, sample: int) -> tuple[Floats, Floats]:
        """Propensity [n_particles] and bond change [n_bonds] of a sample, sigma; zeros where bonds are not labelled."""
        return self._labels(sample, "")

    def errors(self, sample: int) -> tuple[Floats, Floats] | None:
        """Standard errors of the targets of a sample; None where the file does not have them, zeros for bonds alone."""
        return self._labels(sample, "_error") if "propensity_error" in self.dataset else None

    def _labels(self, sample: int, ending: str) -> tuple[Floats, Floats]:
        """Two fields of a sample at the time that is learnt, by the ending of their names."""
        n_bonds, bond_change = int(self.dataset["n_bonds"][sample]), f"bond_change{ending}"
        node = self.dataset[f"propensity{ending}"][sample, self.options.time]
        if bond_change not in self.dataset:
            return node, np.zeros(n_bonds, np.float32)
        return node, self.dataset[bond_change][sample, self.options.time, :n_bonds]

    def bond(self, sample: int) -> Ints:
        """The labelled bonds of a sample [n_bonds, 2]."""
        found: Ints = self.dataset["bond"][sample, : int(self.dataset["n_bonds"][sample])]
        return found

    def structure(self, number: int) -> Data:
        """The graph of a sample without targets; `pairs` are the bonds [n_pairs, 2] that its edges come from."""
        found = self.configurations.seen(number)
        pairs = self._pairs(number, found.thermal, found.box)
        example = structure_of(self.options, found, pairs, self._descriptors(found))
        example.pairs, example.sample = pairs, number
        return example

    def _descriptors(self, found: Configuration) -> Floats | None:
        law = *law_of(self.dataset.config.get("system", {})), self.dataset.sizes["species"]
        try:
            return features_of(self.options, found, law)
        except UserError as error:
            raise UserError(f"data.descriptors = true: {self.options.file}: {error}") from error

    def place(self, device: torch.device) -> str:
        self._store = self._choose_store(device)
        return str(self._store)

    def loss(self, output: Output, batch: Graphs, options: GlassLoss) -> dict[str, Tensor]:
        counts = batch.n_nodes, batch.n_edges
        return node_edge(output, batch.targets, counts, options.p, batch.weight)

    @staticmethod
    def scores(output: Output, batch: Graphs) -> dict[str, float]:
        """Pearson correlation of scored particles and of scored edges."""
        node, edge = (
            pearson(predicted[mask].detach().cpu().numpy(), wanted[mask].cpu().numpy())
            for predicted, wanted, mask in zip(output, batch.targets, batch.masks, strict=True)
        )
        return {"rho_node": node, "rho_edge": edge}

    def _example(self, number: int) -> Graphs:
        structure, is_reversed = self.structure(number), self.configurations.is_reversed(number)
        targets = self.configurations.labels(number, structure.pairs) if is_reversed else self.targets(number)
        node, edge = (self.normalisation.normalised_output(i, target) for i, target in enumerate(targets))
        if not np.isfinite(node).all() or not np.isfinite(edge).all():
            raise UserError(
                f"{self.options.file}: sample {number} has labels that are not finite at time index {self.options.time}"
            )
        node_target = torch.from_numpy(node.astype(np.float32))
        edge_target = torch.from_numpy(edge.astype(np.float32))[structure.pair.long()]
        return Graphs(
            *self.inputs(structure),
            *(node_target, edge_target, structure.node_mask, structure.edge_mask),
            torch.tensor([self.options.reversed_weight if is_reversed else 1.0]),
            *((len(node_target),), (len(edge_target),)),
        )

    def _choose_store(self, device: torch.device) -> Store[Graphs]:
        """Training and validation samples are what is kept."""
        used = self.split["train"] + self.split["validation"]
        n_samples = self.dataset.sizes["sample"]
        n_bonds = self.dataset["n_bonds"][:][np.array(used, dtype=int) % n_samples]  # of reversed ones, about
        n_nodes, n_edges = self.dataset.sizes["particle"], 2 * n_bonds.sum(dtype=np.int64)
        # float32 but for edge_index (int64) and the masks (1 byte)
        n_bytes = len(used) * (n_nodes * (4 * self.sizes["node_width"] + 4 + 1) + 4) + int(n_edges) * (
            16 + 4 * self.sizes["edge_width"] + 4 + 1
        )
        return Store.choose(device, n_bytes, self.options.memory, self.options.device_memory)

    def _labelled(self) -> list[int]:
        status = self.dataset["labelled"][:]
        if (status == PENDING).any():
            raise UserError(
                f"{self.options.file}: {int((status == PENDING).sum())} of {len(status)} samples have no labels yet"
            )
        return complete(self.dataset, status)

    def _pairs(self, number: int, thermal: Floats, box: Floats) -> Ints:
        def make() -> Ints:
            return near_pairs(thermal, box, self.options.cutoff).astype(np.int32)

        def fits(found: Array) -> bool:
            return found.ndim == 2 and found.shape[1] == 2 and found.dtype.kind == "i"

        path = Path(f"{self.options.file}.pairs") / f"{self._identity}_{self.options.cutoff:g}_{number:05}.npz"
        pairs = kept(path, make, fits) if self.options.keep_pairs else make()
        if not self.configurations.is_reversed(number) and self.dataset["labelled"][number] == COMPLETE:
            bonds = self.bond(number)
            if not np.array_equal(bonds, pairs):
                raise UserError(
                    f"{self.options.file}: sample {number} lists {len(bonds)} bonds, but {len(pairs)} pairs are closer "
                    f"than data.cutoff = {self.options.cutoff:g}; set it to the bond cutoff of the file"
                )
        return pairs

    @cached_property
    def _identity(self) -> str:
        """Tells this file from another one of the same name."""
        about = os.stat(self.options.file)
        return f"{about.st_size:x}_{about.st_mtime_ns:x}"


def can_keep(world: World, glass: Glass) -> bool:
    """Whether what is made for a file can be kept beside it; says why not. Collective."""
    numbers = glass.configurations.kept_of(glass.split["train"] + glass.split["validation"])
    refused = world.on_root(glass.configurations.refused) if numbers else ""
    if refused:
        say(world, f"{refused}: what is not there yet is made for every example anew")
    return not refused
