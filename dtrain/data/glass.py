"""Isoconfigurational ensembles of glass formers as graphs: structure in, propensity and bond change out.

Edges are the bonds that the file labels, at the initial (thermal) positions. Their vectors may be taken from these,
from the inherent structure (no thermal noise), or from both.

Source: the published graphs and masks, H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791.
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch_geometric.data import Data

from dtrain.data import DataSet, Network, Options, Output, data, dataset_at, mark_of
from dtrain.data.graphs import Graphs, graph, minimum_image, near_pairs
from dtrain.data.split import Split
from dtrain.data.store import Store
from dtrain.data.symmetry import draw_symmetry
from dtrain.losses import node_edge
from dtrain.metrics import pearson, scored_bonds, scored_particles
from dtrain.normalisation import Normalisation
from runkit.arrays import Floats, Ints
from runkit.checkpoint import load_arrays
from runkit.config import Config
from runkit.dataset.schema import COMPLETE, PENDING
from runkit.errors import UserError
from runkit.outputs import written_whole

POSITIONS = {
    "thermal": ("initial_position",),
    "inherent": ("inherent_position",),
    "both": ("initial_position", "inherent_position"),
}


class GlassOptions(Options):
    """Keys of [data]."""

    name: Literal["glass"] = Field("glass", description="name of a registered data set")
    file: str = Field("data/kob_andersen.h5", min_length=1, description="ISOCONFIG file")
    time: int = Field(0, ge=0, description="index of the time to learn")
    positions: Literal["thermal", "inherent", "both"] = Field(
        "thermal", description="positions that edge vectors are taken from"
    )
    cutoff: float = Field(
        2.0, gt=0, description="pairs closer than this are edges: the bond cutoff of the file [sigma]"
    )
    normalise: bool = Field(True, description="targets in units of their spread over the training samples")
    augment: bool = Field(True, description="a random symmetry of the cube for every graph in every epoch")
    keep_pairs: bool = Field(False, description="keep neighbour pairs in a folder beside the file, FILE.pairs")
    split: Split = Split()


class GlassLoss(Config):
    """Keys of [loss]."""

    p: float = Field(
        0.4, ge=0, le=1, description="weight of particles against edges: 1 is particles only, 0 edges only"
    )


@data("glass")
class Glass(DataSet[Graphs, GlassLoss]):
    """The graphs of an ISOCONFIG file."""

    Options, Loss = GlassOptions, GlassLoss

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
        self._store = self._choose_store(torch.device("cpu"))

    @cached_property
    def split(self) -> dict[str, list[int]]:
        return self.options.split.draw(self._labelled())

    def require(self, options: GlassLoss) -> None:
        if options.p < 1 and not self.has_bond_change:
            raise UserError(f"{self.options.file} does not label bonds; loss.p = 1 learns from particles alone")

    @property
    def parts(self) -> dict[str, list[int]]:
        return self.split

    @property
    def usable(self) -> list[int]:
        return self._labelled()

    @property
    def context(self) -> dict[str, float]:
        return {}

    def mark(self, sample: int) -> str:
        return mark_of(*(self.dataset[name][sample] for name in ("box", "species", "initial_position")))

    @property
    def sizes(self) -> dict[str, int]:
        return {"node_width": 1, "edge_width": 3 * len(POSITIONS[self.options.positions])}

    @cached_property
    def normalisation(self) -> Normalisation:
        if not self.options.normalise:
            return Normalisation.identity(2)
        targets = [self.targets(sample) for sample in self.split["train"]]
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
        n_bonds = int(self.dataset["n_bonds"][sample])
        node = self.dataset["propensity"][sample, self.options.time]
        if not self.has_bond_change:
            return node, np.zeros(n_bonds, np.float32)
        return node, self.dataset["bond_change"][sample, self.options.time, :n_bonds]

    def structure(self, sample: int) -> Data:
        """The graph of a sample without targets; `pairs` are the bonds [n_pairs, 2] that its edges come from."""
        box, species = self.dataset["box"][sample], self.dataset["species"][sample]
        pairs = self._pairs(sample, box)
        positions = [self.dataset[name][sample] for name in POSITIONS[self.options.positions]]
        example = graph(species, positions, box, pairs)
        thermal = self.dataset["initial_position"][sample]
        distance = np.linalg.norm(minimum_image(thermal[pairs[:, 1]] - thermal[pairs[:, 0]], box), axis=1)
        example.node_mask = torch.from_numpy(scored_particles(species))
        example.edge_mask = torch.from_numpy(scored_bonds(species, pairs, distance))[example.pair.long()]
        example.sample = sample
        return example

    def place(self, device: torch.device) -> str:
        self._store = self._choose_store(device)
        return str(self._store)

    def example(self, sample: int) -> Graphs:
        """The graph of a sample with normalised targets, on the device; kept as far as the recipe allows."""
        return self._store.get(sample, lambda: self._example(sample))

    def batch(self, samples: Sequence[int], epochs: Sequence[int] | None = None) -> Graphs:
        examples = [self.example(sample) for sample in samples]
        if epochs is not None and self.options.augment:
            symmetries = [draw_symmetry(self.seed, *of) for of in zip(epochs, samples, strict=True)]
            examples = [example.turned(by) for example, by in zip(examples, symmetries, strict=True)]
        return Graphs.join(examples)

    @staticmethod
    def inputs(batch: Data | Graphs) -> tuple[Tensor, Tensor, Tensor]:
        return batch.x, batch.edge_index, batch.edge_attr

    def output(self, network: Network, batch: Graphs) -> Output:
        return network(*self.inputs(batch))

    def loss(self, output: Output, batch: Graphs, options: GlassLoss) -> dict[str, Tensor]:
        return node_edge(output, (batch.node_target, batch.edge_target), (batch.n_nodes, batch.n_edges), options.p)

    @staticmethod
    def scores(output: Output, batch: Graphs) -> dict[str, float]:
        """Pearson correlation of scored particles and of scored edges."""
        targets, masks = (batch.node_target, batch.edge_target), (batch.node_mask, batch.edge_mask)
        node, edge = (
            pearson(predicted[mask].detach().cpu().numpy(), wanted[mask].cpu().numpy())
            for predicted, wanted, mask in zip(output, targets, masks, strict=True)
        )
        return {"rho_node": node, "rho_edge": edge}

    @staticmethod
    def objective(scores: Mapping[str, float], options: GlassLoss) -> float:
        """The correlation of particles, or of edges where only these are learnt."""
        return scores["rho_node" if options.p > 0 else "rho_edge"]

    def _example(self, sample: int) -> Graphs:
        structure = self.structure(sample)
        node, edge = (self.normalisation.normalised_output(i, target) for i, target in enumerate(self.targets(sample)))
        if not np.isfinite(node).all() or not np.isfinite(edge).all():
            raise UserError(
                f"{self.options.file}: sample {sample} has labels that are not finite at time index {self.options.time}"
            )
        node_target = torch.from_numpy(node.astype(np.float32))
        edge_target = torch.from_numpy(edge.astype(np.float32))[structure.pair.long()]
        return Graphs(
            *self.inputs(structure),
            *(node_target, edge_target, structure.node_mask, structure.edge_mask),
            *((len(node_target),), (len(edge_target),)),
        )

    def _choose_store(self, device: torch.device) -> Store[Graphs]:
        """Training and validation samples are what is kept."""
        used = self.split["train"] + self.split["validation"]
        n_nodes, n_edges = self.dataset.sizes["particle"], 2 * self.dataset["n_bonds"][:][used].sum(dtype=np.int64)
        # float32 but for edge_index (int64) and the masks (1 byte)
        n_bytes = len(used) * n_nodes * (4 + 4 + 1) + int(n_edges) * (16 + 4 * self.sizes["edge_width"] + 4 + 1)
        return Store.choose(device, n_bytes, self.options.memory, self.options.device_memory)

    def _labelled(self) -> list[int]:
        status = self.dataset["labelled"][:]
        if (status == PENDING).any():
            raise UserError(
                f"{self.options.file}: {int((status == PENDING).sum())} of {len(status)} samples have no labels yet"
            )
        return np.flatnonzero(status == COMPLETE).tolist()

    def _pairs(self, sample: int, box: Floats) -> Ints:
        pairs = self._find_pairs(sample, box)
        if self.dataset["labelled"][sample] == COMPLETE:
            bonds = self.dataset["bond"][sample, : int(self.dataset["n_bonds"][sample])]
            if not np.array_equal(bonds, pairs):
                raise UserError(
                    f"{self.options.file}: sample {sample} lists {len(bonds)} bonds, but {len(pairs)} pairs are closer "
                    f"than data.cutoff = {self.options.cutoff:g}; set it to the bond cutoff of the file"
                )
        return pairs

    def _find_pairs(self, sample: int, box: Floats) -> Ints:
        """The neighbour pairs, from the folder beside the file if it is in use."""
        path = Path(f"{self.options.file}.pairs") / f"{self._identity}_{self.options.cutoff:g}_{sample:05}.npz"
        kept = self._kept_pairs(path) if self.options.keep_pairs else None
        if kept is not None:
            return kept
        pairs = near_pairs(self.dataset["initial_position"][sample], box, self.options.cutoff)
        if self.options.keep_pairs:
            self._keep_pairs(path, pairs)
        return pairs

    @staticmethod
    def _kept_pairs(path: Path) -> Ints | None:
        """Pairs [n_pairs, 2] that were kept; None if there are none, or none that are whole."""
        if not path.is_file():
            return None
        try:
            pairs = load_arrays(path).get("pairs", np.empty(0))
        except UserError:
            return None
        return pairs if pairs.ndim == 2 and pairs.shape[1] == 2 and pairs.dtype.kind == "i" else None

    @staticmethod
    def _keep_pairs(path: Path, pairs: Ints) -> None:
        """Keep pairs where that can be done: in a folder that cannot be written to they are found again each time."""
        with suppress(OSError, UserError):
            path.parent.mkdir(exist_ok=True)
            with written_whole(path) as beside:
                np.savez(beside, pairs=pairs.astype(np.int32))

    @cached_property
    def _identity(self) -> str:
        """Tells this file from another one of the same name."""
        about = os.stat(self.options.file)
        return f"{about.st_size:x}_{about.st_mtime_ns:x}"
