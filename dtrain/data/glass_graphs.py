"""Configurations of particles as graphs, and the keys that say what a graph holds.

Edges are pairs that are near at the initial (thermal) positions. Their vectors may be taken from these, from the
inherent structure (no thermal noise), or from both.

Source: the published graphs and masks, H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from dtrain.data import Options
from dtrain.data.cage import Cage, CageOptions
from dtrain.data.configurations import Configuration
from dtrain.data.descriptors import descriptors
from dtrain.data.graphs import graph
from dtrain.data.pairs import distances
from dtrain.data.split import Split
from dtrain.metrics import scored_bonds, scored_particles
from runkit.arrays import Floats, Ints

if TYPE_CHECKING:
    from torch_geometric.data import Data

POSITIONS = {"thermal": ("thermal",), "inherent": ("inherent",), "both": ("thermal", "inherent")}


class GraphOptions(Options):
    """Keys of [data] of every data set of graphs."""

    file: str = Field("data/kob_andersen.h5", min_length=1, description="ISOCONFIG file")
    positions: Literal["thermal", "inherent", "both"] = Field(
        "thermal", description="positions that edge vectors are taken from"
    )
    cutoff: float = Field(
        2.0, gt=0, description="pairs closer than this are edges: the bond cutoff of the file [sigma]"
    )
    descriptors: bool = Field(
        False, description="particles carry descriptors of the structure around them (see `dtrain.descriptors`)"
    )
    cage: CageOptions = CageOptions()
    reversed: int = Field(
        0,
        ge=0,
        description="replicas of each training sample whose final configuration is learnt from too, with the motion "
        "back; their inherent positions are kept beside the file, FILE.reversed",
    )
    augment: bool = Field(True, description="a random symmetry of the cube for every graph in every epoch")
    keep_pairs: bool = Field(False, description="keep neighbour pairs in a folder beside the file, FILE.pairs")
    split: Split = Split()

    @model_validator(mode="after")
    def _descriptors_tell_of_cages(self) -> GraphOptions:
        if self.cage.replicas and not self.descriptors:
            raise ValueError(f"cage.replicas = {self.cage.replicas}: descriptors tell of cages; set descriptors = true")
        return self


def structure_of(options: GraphOptions, found: Configuration, pairs: Ints, features: Floats | None) -> Data:
    """The graph of a configuration whose edges are `pairs` [n_pairs, 2], with masks of what is scored.

    `features` [n_particles, n] are what particles carry beside their species (`features_of`).
    """
    example = graph(found.species, [getattr(found, name) for name in POSITIONS[options.positions]], found.box, pairs)
    if features is not None:
        example.x = torch.cat([example.x, torch.from_numpy(features.astype(np.float32))], dim=1)
    example.node_mask = torch.from_numpy(scored_particles(found.species))
    is_scored = scored_bonds(found.species, pairs, distances(found.thermal, pairs, found.box))
    example.edge_mask = torch.from_numpy(is_scored)[example.pair.long()]
    return example


def features_of(options: GraphOptions, found: Configuration, law: tuple[str, Mapping[str, Any], int]) -> Floats | None:
    """Descriptors of all particles of a configuration, None for a recipe without.

    `law` is the potential, its parameters, and the number of species. They are in units of their spread over the whole
    configuration, so they are always made of the whole one.
    """
    if not options.descriptors:
        return None
    potential, parameters, n_species = law
    cage = None if found.cage is None else Cage.of_array(found.cage)
    arrays = found.inherent, found.species, found.box, found.thermal, cage
    return descriptors(*arrays, potential=potential, parameters=parameters, n_species=n_species)


def cage_options(options: GraphOptions) -> CageOptions | None:
    """The simulation that descriptors take cages from; None for a recipe without."""
    return options.cage if options.cage.replicas else None


def needs_inherent(options: GraphOptions) -> bool:
    """Whether a graph takes inherent positions."""
    return options.descriptors or "inherent" in POSITIONS[options.positions]
