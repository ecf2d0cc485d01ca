"""The mobility that a trained network predicts for any configuration, whole or in parts.

In parts, each block is a graph of its own with all that the network sees (`partition`), so the answers are those of the
whole up to rounding. Descriptors are made of the whole configuration first, since they are in units of their spread
over it. Networks that use the whole graph, for statistics over it or to answer for it, have no `reach`; they are given
whole graphs only.
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dtrain.data.configurations import Configuration, cage_of, law_of, with_inherent
from dtrain.data.glass_graphs import GraphOptions, cage_options, features_of, needs_inherent, structure_of
from dtrain.data.pairs import near_pairs
from dtrain.glass.partition import Block, cut, enough
from dtrain.glass.predictions import answers
from dtrain.weights import Trained
from runkit.arguments import alike, numbers, positive, whole
from runkit.arrays import F32, F64, I32, I64, Floats, Ints
from runkit.errors import UserError
from runkit.memory import shortage

MOST_PARTS = 4096
AT_ONCE = 100_000  # particles of a part and its halo, about, where the number of parts is left to us


@dataclass(frozen=True)
class Mobility:
    """What is predicted: `propensity` [n] of particles, `bond_change` [n_bonds] of `bond` [n_bonds, 2], sigma.

    Bonds are the pairs i < j nearer than the network's cutoff, in lexicographic order.
    """

    propensity: F32
    bond: I32
    bond_change: F32


def predict(
    trained: Trained,
    position: ArrayLike,
    species: ArrayLike,
    box: ArrayLike,
    *,
    inherent: ArrayLike | None = None,
    potential: str = "",
    parameters: Mapping[str, Any] | None = None,
    temperature: float | None = None,
    parts: int = 1,
) -> Mobility:
    """The mobility of particles at `position` [n, 3] of `species` [n] in a periodic box: three edges, or one of a cube.

    `inherent` [n, 3] is the inherent structure;
    where the model needs it and it is not given, it is found in the `potential` with its `parameters`, by default those
    of the data that the model learnt from. `temperature`, by default that of these data, is for models that take cages
    from a short simulation, and refused by others. `parts` is a number of blocks that are computed one after another,
    for less memory. Raises UserError for input that is no configuration, or of another kind than the model's.
    """
    start = checked(numbers("position", position), species, box)
    if inherent is not None:
        start = start._replace(inherent=alike("inherent", inherent, "position", start.thermal))
    law, at = potential_of(trained, potential, parameters), temperature_of(trained, temperature)
    require_known(trained, start)
    start = completed(trained, start, law, at)
    return of_configuration(trained, start, law, whole("parts", parts, 1, MOST_PARTS))


def completed(
    trained: Trained, start: Configuration, law: tuple[str, Mapping[str, Any]], temperature: float
) -> Configuration:
    """A configuration with all that the network is told of it: inherent structure, unless it is there, and cages.

    Raises UserError where these cannot be made, the latter at a temperature (`temperature_of`).
    """
    options = options_of(trained)
    if needs_inherent(options) and np.isnan(start.inherent).any():
        start = with_inherent(start, *law)
    cage = cage_options(options)
    return start if cage is None else start._replace(cage=cage_of(start, temperature, cage, law).array)


def temperature_of(trained: Trained, given: float | None) -> float:
    """The temperature of the short simulation of a model: what is given, else that of the data; NaN without one.

    Raises UserError where it is not known, and where one is given that means nothing to the model.
    """
    if cage_options(options_of(trained)) is None:
        if given is not None:
            raise UserError(f"temperature = {given:g}: the model takes no cages from a simulation; leave it out")
        return math.nan
    known = trained.system.get("temperature", [])
    if given is None and len(known) != 1:
        told = " and ".join(f"{one:g}" for one in known) or "none that is known"
        raise UserError(f"temperature: the model simulates for a short time, and has learnt from {told}; give one")
    return positive("temperature", known[0] if given is None else given, 1e-6, 1e6)


def options_of(trained: Trained) -> GraphOptions:
    """The keys of [data] of a model for glass; UserError if it is for something else."""
    if not isinstance(trained.options, GraphOptions):
        raise UserError(f"{trained.path} has learnt {trained.recipe.data.name} data; a model for glass is needed")
    return trained.options


def checked(position: F64, species: ArrayLike, box: ArrayLike) -> Configuration:
    """A configuration from arrays, without inherent positions (NaN); UserError if it cannot be one."""
    edges = numbers("box", box, "three edges, or one of a cube,")
    kinds = numbers("species", species, "whole numbers from 0")
    edges = np.full(3, float(edges)) if edges.ndim == 0 else edges
    n_particles = len(kinds) if kinds.ndim == 1 else -1
    if position.shape != (n_particles, 3) or not n_particles or not np.isfinite(position).all():
        raise UserError(f"position: finite numbers [n, 3] for species [n] are needed, not shape {position.shape}")
    if edges.shape != (3,) or not ((edges > 0) & np.isfinite(edges)).all():
        raise UserError(f"box = {np.asarray(box).tolist()}: three positive edges, or one of a cube, are needed")
    if not ((kinds >= 0) & (kinds <= 127) & (kinds == np.rint(kinds))).all():
        raise UserError("species: whole numbers from 0 to 127 are needed")
    return Configuration(kinds.astype(np.int32), edges, position, np.full_like(position, np.nan))


def potential_of(
    trained: Trained, potential: str, parameters: Mapping[str, Any] | None
) -> tuple[str, Mapping[str, Any]]:
    """Name and parameters of the potential: what is given, else that of the data."""
    known = law_of(trained.system)
    return (potential or known[0], parameters or {}) if potential or parameters else known


def require_known(trained: Trained, found: Configuration) -> None:
    """Raise UserError for a configuration of another kind than the model's."""
    n_species = trained.system.get("n_species")
    if n_species is not None and found.species.max() >= n_species:
        raise UserError(
            f"species {found.species.max()} is there (they count from 0); the model has learnt from {n_species} species"
        )


def of_configuration(
    trained: Trained, found: Configuration, law: tuple[str, Mapping[str, Any]], parts: int = 1
) -> Mobility:
    """The mobility of a configuration, block by block."""
    blocks = blocks_of(trained, found, parts)
    features = features_for(trained, found, law)
    return joined(len(found.species), [of_block(trained, found, features, block) for block in blocks])


def features_for(trained: Trained, found: Configuration, law: tuple[str, Mapping[str, Any]]) -> Floats | None:
    """Descriptors of all particles, None for a model without; `law` is the potential and its parameters."""
    return features_of(options_of(trained), found, (*law, int(trained.system.get("n_species", 2))))


def blocks_of(trained: Trained, found: Configuration, parts: int, n_processes: int = 1) -> list[Block]:
    """The blocks of a configuration for this network; UserError if it can only see the whole.

    `parts` = 0 asks for one for each process, or more if these are large.
    """
    n_particles, reach = len(found.species), getattr(trained.network, "reach", None)
    if reach is None and (parts or n_processes) > 1:
        name = trained.recipe.model.name
        told = f"parts = {parts or n_processes}: {name} looks at the whole configuration; allowed: 1, on one process"
        raise UserError(told)
    depth = (reach or 0) * options_of(trained).cutoff
    if reach is not None and not parts:
        parts = enough(n_particles, found.box, n_processes, depth, AT_ONCE)
    if reach is None or parts == 1:
        return [Block(np.arange(n_particles), np.ones(n_particles, bool))]
    return cut(found.thermal, found.box, parts, depth)


Part = tuple[I64, Floats, Ints, Floats]  # own particles and their propensity; bonds that they own and their change


def of_block(trained: Trained, found: Configuration, features: Floats | None, block: Block) -> Part:
    """The answers for the brick of a block; a bond belongs to the brick of its first particle."""
    member, options = block.member, options_of(trained)
    here = Configuration(found.species[member], found.box, found.thermal[member], found.inherent[member])
    try:
        pairs = near_pairs(here.thermal, here.box, options.cutoff)
        graph = structure_of(options, here, pairs, None if features is None else features[member])
        propensity, change = answers(trained, graph)
    except (MemoryError, RuntimeError) as error:
        if shortage(error) is None:
            raise
        told = f"{len(member)} particles at once are too many for the memory; raise parts, or take more processes"
        raise UserError(told) from error
    mine = block.is_own[pairs[:, 0]]
    return member[block.is_own], propensity[block.is_own], member[pairs[mine]], change[mine]


def joined(n_particles: int, parts: Sequence[Part]) -> Mobility:
    """The answers of all blocks of a configuration as one."""
    propensity = np.empty(n_particles, np.float32)
    for own, values, _, _ in parts:
        propensity[own] = values
    bond = np.concatenate([pairs for _, _, pairs, _ in parts])
    order = np.lexsort((bond[:, 1], bond[:, 0]))
    change = np.concatenate([values for *_, values in parts])
    return Mobility(propensity, bond[order].astype(np.int32), change[order].astype(np.float32))
