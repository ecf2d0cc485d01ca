"""Starting configurations: a crystal to be melted, or configurations given in files.

Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mdgen.potentials.pair import PairPotential
from runkit.arguments import as_array
from runkit.arrays import F64, I32, I64
from runkit.errors import UserError
from runkit.rng import stream

LARGEST = 1e5  # edge of a box: places are counted in 2**-32 of it
FARTHEST = 2**20  # edges from the origin at which a float64 still has these places


@dataclass(frozen=True)
class Configuration:
    """Particles in a periodic box: position [n, 3] in [0, box), species [n], box [3], and the temperature if known.

    `source` names where it comes from, for messages.
    """

    position: F64
    species: I32
    box: F64
    temperature: float | None = None
    source: str = "configuration"

    @classmethod
    def of(
        cls,
        source: str,
        position: ArrayLike,
        species: ArrayLike,
        box: ArrayLike,
        temperature: float | None = None,
    ) -> Configuration:
        """Wrap and check what was read from `source`; raises `UserError` if it cannot be a configuration."""
        position, box = np.array(position, dtype=np.float64), np.array(box, dtype=np.float64)
        species = as_array("species", species)
        if position.ndim != 2 or position.shape[1] != 3 or species.shape != position.shape[:1] or len(species) < 2:
            raise UserError(f"{source}: positions {position.shape} and species {species.shape} are not [n, 3] and [n]")
        if box.shape != (3,) or not np.all((box > 0) & (box <= LARGEST)):
            raise UserError(f"{source}: box = {box.tolist()}: three positive edges, up to {LARGEST:g}, are needed")
        if not np.issubdtype(species.dtype, np.integer) or species.min() < 0:
            raise UserError(f"{source}: species must be integers, 0 or more")
        if species.max() > np.iinfo(np.int8).max:
            raise UserError(f"{source}: species {species.max()} is there (they count from 0); 127 is the most")
        lost = np.flatnonzero(~np.isfinite(position).all(axis=1))
        if len(lost):
            raise UserError(f"{source}: position of particle {lost[0]} is {position[lost[0]].tolist()}, not finite")
        far = np.flatnonzero((np.abs(position) > FARTHEST * box).any(axis=1))
        if len(far):
            message = f"more than {FARTHEST} edges from the origin, where its digits are lost"
            raise UserError(f"{source}: position of particle {far[0]} is {position[far[0]].tolist()}, {message}")
        return cls(wrap(position, box), species.astype(np.int8), box, temperature, source)

    def require(self, potential: PairPotential) -> None:
        """Raise `UserError` unless `potential` has all species and the box allows the minimum image."""
        if self.species.max() >= potential.n_species:
            raise UserError(
                f"{self.source}: species {self.species.max()} is there (they count from 0), the potential has "
                f"{potential.n_species}; a file that names its species otherwise needs initial.species"
            )
        if self.box.min() < 2 * potential.largest_cutoff:
            raise UserError(
                f"{self.source}: box edge {self.box.min():.8g} is less than twice the cutoff "
                f"{potential.largest_cutoff:.8g}; the minimum image needs at least {2 * potential.largest_cutoff:.8g}"
            )


def wrap(position: F64, box: F64) -> F64:
    """Positions [..., 3] moved by whole edges into [0, box)."""
    wrapped = position - np.floor(position / box) * box
    return np.where(wrapped < box, wrapped, 0.0)


def melt(n_particles: int, composition: Sequence[float], density: float, seed: int, sample: int) -> Configuration:
    """A start to be melted: particles on random sites of a face-centred cubic lattice that fills a cubic box.

    Species 0 comes first, their numbers are the nearest to `composition`. A function of `seed` and `sample`.
    """
    edge = (n_particles / density) ** (1 / 3)
    n_cells = math.ceil((n_particles / 4 - 1e-9) ** (1 / 3))
    corner = np.stack(np.meshgrid(*[np.arange(n_cells)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) + 0.25
    site = (corner + basis).reshape(-1, 3) * edge / n_cells
    chosen = stream(seed, "melt", sample).permutation(len(site))[:n_particles]
    species = np.repeat(np.arange(len(composition)), counts(n_particles, composition))
    return Configuration.of("melt", site[chosen], species, np.full(3, edge))


def counts(n_particles: int, composition: Sequence[float]) -> I64:
    """Whole numbers of particles per species that sum to `n_particles`, by largest remainders."""
    exact = n_particles * np.asarray(composition, dtype=float)
    number = np.floor(exact + 1e-9).astype(int)
    missing = n_particles - number.sum()
    number[np.argsort(number - exact, kind="stable")[:missing]] += 1
    return number
