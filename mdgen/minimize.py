"""Inherent structures: the energy minimum that a configuration flows down to, by FIRE 2.0.

Source: J. Guénolé et al., Comput. Mater. Sci. 175, 109584 (2020), doi:10.1016/j.commatsci.2020.109584 (semi-implicit
Euler, half-step back on uphill motion); E. Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006),
doi:10.1103/PhysRevLett.97.170201. Different minimisers end in different minima: compare energies, not positions.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.initial import Configuration
from mdgen.potentials.pair import PairPotential

DT_START, DT_LARGEST, DT_LEAST = 0.005, 0.025, 1e-4  # the stiffest pairs of a dense liquid allow no more
MIXING, MIXING_DECAY = 0.25, 0.99
GROWTH, SHRINKAGE, PATIENCE = 1.1, 0.5, 20
LONGEST_STEP = 0.1  # of any particle in one iteration, so that overlaps come apart gently


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended: position [n, 3], total energy, largest force component left, iterations done."""

    position: np.ndarray
    energy: float
    largest_force: float
    n_iterations: int
    converged: bool


def inherent_structure(start: Configuration, potential: PairPotential, device=None) -> Minimum:
    """The minimum below `start`; positions are unwrapped with respect to it. Forces come from `device` (None: CPU)."""
    position, at_rest = start.position[None], np.zeros((1, *start.position.shape))
    system = Dynamics(position, at_rest, start.species, start.box, potential, 0.0, "float64", device=device)

    def force(position: np.ndarray) -> np.ndarray:
        system.restore(position[None], at_rest)
        return system.force[0]

    def energy(position: np.ndarray) -> float:
        system.restore(position[None], at_rest)
        return float(system.potential_energy[0])

    return fire(force, energy, start.position)


def fire(
    force_at: Callable[[np.ndarray], np.ndarray],
    energy_at: Callable[[np.ndarray], float],
    position: np.ndarray,
    tolerance: float = 1e-6,
    max_iterations: int = 20000,
) -> Minimum:
    """Descend from `position` [n, 3] until no force component exceeds `tolerance`.

    `force_at` gives the force [n, 3] at a position, `energy_at` the total energy: FIRE needs it at the end alone.
    """
    position, velocity = np.array(position, dtype=np.float64), np.zeros_like(position, dtype=np.float64)
    dt, mixing, n_downhill = DT_START, MIXING, 0
    force, n_iterations = force_at(position), 0
    while np.abs(force).max() > tolerance and n_iterations < max_iterations:
        n_iterations += 1
        if (force * velocity).sum() > 0:
            n_downhill += 1
            if n_downhill > PATIENCE:
                dt, mixing = min(dt * GROWTH, DT_LARGEST), mixing * MIXING_DECAY
        else:
            position -= 0.5 * dt * velocity
            velocity[:] = 0
            n_downhill, mixing = 0, MIXING
            if n_iterations > PATIENCE:
                dt = max(dt * SHRINKAGE, DT_LEAST)
        velocity += dt * force
        velocity = (1 - mixing) * velocity + mixing * force * (_norm(velocity) / _norm(force))
        velocity *= min(1.0, LONGEST_STEP / (dt * np.abs(velocity).max()))
        position += dt * velocity
        force = force_at(position)
    largest = float(np.abs(force).max())
    return Minimum(position, energy_at(position), largest, n_iterations, largest <= tolerance)


def _norm(vector: np.ndarray) -> float:
    return float(np.sqrt((vector * vector).sum()))
