"""Maxwell velocities: the fresh start of every replica.

The draw is not rescaled to the exact temperature: an isoconfigurational ensemble samples the kinetic energy as well.
Units: Lennard-Jones (m = k_B = 1).
"""

from __future__ import annotations

import numpy as np

from runkit.arrays import F64
from runkit.rng import stream


def maxwell_velocities(n_particles: int, temperature: float, seed: int, sample: int, replica: int = 0) -> F64:
    """Velocities [n_particles, 3] at `temperature` with zero total momentum, a function of the three keys alone."""
    velocity: F64 = stream(seed, "velocity", sample, replica).standard_normal((n_particles, 3)) * np.sqrt(temperature)
    mean: F64 = velocity.mean(axis=0)
    return velocity - mean
