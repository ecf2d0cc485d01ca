"""Ensembles: replicas of one or of many systems of equal size that are advanced together, checked.

Units: those of the potential.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mdgen.potentials.pair import PairPotential
from mdgen.thermostats import Thermostat
from runkit.arrays import F64, I32, I64
from runkit.errors import UserError

SINGLE = 1e-9, 1e18  # edges of boxes whose squared distances, and their reciprocals, are normal in single precision
LONGEST_STEP = 0.5  # of a particle in one time step, in cutoffs: beyond it a trajectory has blown up


@dataclass(frozen=True)
class Ensemble:
    """R replicas of n particles: `order` int64 [R, n] in which forces are summed, `species` int32 [R, n] in that order,
    `box` float64 [R, 3]; the potential, the precision of the pair forces and the thermostat (None: NVE) of all."""

    species: I32
    box: F64
    order: I64
    potential: PairPotential
    precision: str
    thermostat: Thermostat | None

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        species: ArrayLike,
        box: ArrayLike,
        order: ArrayLike | None,
        potential: PairPotential,
        precision: str,
        thermostat: Thermostat | None,
    ) -> Ensemble:
        """Checked, one row for each replica; `shape` is [R, n]. Raises `UserError` for what cannot be advanced."""
        if precision not in ("float32", "float64"):
            raise UserError(f"precision = {precision!r}: 'float32' or 'float64' is needed")
        in_order = np.broadcast_to(np.arange(shape[1]) if order is None else np.asarray(order), shape)
        of_each = np.take_along_axis(_species(species, shape, potential), in_order, axis=1)
        boxes = _boxes(box, shape[0], potential, precision)
        return cls(of_each, boxes, in_order, potential, precision, thermostat)

    @property
    def shape(self) -> tuple[int, int]:
        """Replicas, particles."""
        n_replicas, n_particles = self.species.shape
        return n_replicas, n_particles

    @property
    def longest_step(self) -> float:
        """Beyond it a replica has blown up: a component of what a particle moves in one time step."""
        return LONGEST_STEP * self.potential.largest_cutoff


def replicas(position: ArrayLike, velocity: ArrayLike) -> tuple[F64, F64]:
    """Both as float64 [R, n, 3]; raises `UserError` if their shapes differ or a value is not finite."""
    places, speeds = np.asarray(position, np.float64), np.asarray(velocity, np.float64)
    if places.ndim != 3 or places.shape[2] != 3 or places.shape != speeds.shape:
        raise UserError(f"position {places.shape} and velocity {speeds.shape}: both must be [replicas, particles, 3]")
    for name, array in (("position", places), ("velocity", speeds)):
        lost = np.flatnonzero(~np.isfinite(array).all(axis=(1, 2)))
        if len(lost):
            raise UserError(f"{name} of replica {lost[0]}: not finite")
    return places, speeds


def _species(given: ArrayLike, shape: tuple[int, int], potential: PairPotential) -> I32:
    species = np.asarray(given, np.int32)
    if species.shape not in (shape, shape[1:]):
        raise UserError(f"species {species.shape}: one for each of {shape[1]} particles is needed")
    if np.any((species < 0) | (species >= potential.n_species)):
        raise UserError(f"species {species.min()} to {species.max()}: must be 0 to {potential.n_species - 1}")
    return np.broadcast_to(species, shape)


def _boxes(given: ArrayLike, n_replicas: int, potential: PairPotential, precision: str) -> F64:
    box = np.array(given, np.float64)
    least = 2 * potential.largest_cutoff
    if box.shape not in ((3,), (n_replicas, 3)) or not np.all(np.isfinite(box)) or np.any(box < least):
        raise UserError(f"box = {box.tolist()}: needs three edges of at least {least:g} (twice the longest cutoff)")
    if precision == "float32" and (box.min() < SINGLE[0] or box.max() > SINGLE[1]):
        raise UserError(
            f"box = {box.tolist()}: edges must lie between {SINGLE[0]:g} and {SINGLE[1]:g} with precision = float32; "
            "use other units, or float64"
        )
    return np.ascontiguousarray(np.broadcast_to(box, (n_replicas, 3)))
