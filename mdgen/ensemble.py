"""What is advanced together: replicas of one or of many systems of equal size, checked.

Units: those of the potential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mdgen.potentials.pair import PairPotential
from runkit.errors import UserError

SINGLE = 1e-9, 1e18  # edges of boxes whose squared distances, and their reciprocals, are normal in single precision
LONGEST_STEP = 0.5  # of a particle in one time step, in cutoffs: beyond it a trajectory has blown up


@dataclass(frozen=True)
class Ensemble:
    """R replicas of n particles: `order` int64 [R, n] in which forces are summed, `species` int32 [R, n] in that order,
    `box` float64 [R, 3]; the potential, the precision of the pair forces and the thermostat (None: NVE) of all."""

    species: np.ndarray
    box: np.ndarray
    order: np.ndarray
    potential: PairPotential
    precision: str
    thermostat: Any

    @classmethod
    def of(cls, shape, species, box, order, potential, precision: str, thermostat) -> Ensemble:
        """Checked and spread over replicas; `shape` is [R, n]. Raises `UserError` for what cannot be advanced."""
        if precision not in ("float32", "float64"):
            raise UserError(f"precision = {precision!r}: 'float32' or 'float64' is needed")
        order = np.broadcast_to(np.arange(shape[1]) if order is None else order, shape)
        species = np.take_along_axis(_species(species, shape, potential), order, axis=1)
        return cls(species, _boxes(box, shape[0], potential, precision), order, potential, precision, thermostat)

    @property
    def shape(self) -> tuple[int, int]:
        """Replicas, particles."""
        return self.species.shape

    @property
    def longest_step(self) -> float:
        """Beyond it a replica has blown up: a component of what a particle moves in one time step."""
        return LONGEST_STEP * self.potential.largest_cutoff


def replicas(position, velocity) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 [R, n, 3]; raises `UserError` if their shapes differ or a value is not finite."""
    position, velocity = np.asarray(position, np.float64), np.asarray(velocity, np.float64)
    if position.ndim != 3 or position.shape[2] != 3 or position.shape != velocity.shape:
        raise UserError(
            f"position {position.shape} and velocity {velocity.shape}: both must be [replicas, particles, 3]"
        )
    for name, array in (("position", position), ("velocity", velocity)):
        lost = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2)))
        if len(lost):
            raise UserError(f"{name} of replica {lost[0]}: not finite")
    return position, velocity


def _species(species, shape: tuple[int, int], potential: PairPotential) -> np.ndarray:
    species = np.asarray(species, np.int32)
    if species.shape not in (shape, shape[1:]):
        raise UserError(f"species {species.shape}: one for each of {shape[1]} particles is needed")
    if np.any((species < 0) | (species >= potential.n_species)):
        raise UserError(f"species {species.min()} to {species.max()}: must be 0 to {potential.n_species - 1}")
    return np.broadcast_to(species, shape)


def _boxes(box, n_replicas: int, potential: PairPotential, precision: str) -> np.ndarray:
    box = np.array(box, np.float64)
    least = 2 * potential.largest_cutoff
    if box.shape not in ((3,), (n_replicas, 3)) or not np.all(np.isfinite(box)) or np.any(box < least):
        raise UserError(f"box = {box.tolist()}: needs three edges of at least {least:g} (twice the longest cutoff)")
    if precision == "float32" and (box.min() < SINGLE[0] or box.max() > SINGLE[1]):
        raise UserError(
            f"box = {box.tolist()}: edges must lie between {SINGLE[0]:g} and {SINGLE[1]:g} with precision = float32; "
            "use other units, or float64"
        )
    return np.ascontiguousarray(np.broadcast_to(box, (n_replicas, 3)))
