"""Pearson correlation as the field reports it, what it is taken over, and what limits it.

Published figures are of A particles and AA pairs of the first coordination shell, at one time. A label is a mean over
few replicas, so that even a perfect prediction correlates with it only as the square root of its reliability: the
ceiling.

Source: H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791 (masks and score).
Units: Lennard-Jones.
"""

from __future__ import annotations

import numpy as np

from runkit.arrays import Bools, Floats, Ints

CLOSE_PAIR = 1.35  # AA pairs nearer than this are scored


def pearson(x: Floats, y: Floats) -> float:
    """Pearson correlation of two arrays of one shape; NaN if one does not vary or holds fewer than two items."""
    x, y = np.asarray(x, np.float64).ravel(), np.asarray(y, np.float64).ravel()
    if len(x) < 2:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip((x @ y) / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def ceiling(reliability: Floats) -> float:
    """The largest mean correlation that a perfect prediction can reach, from reliabilities of configurations."""
    return float(np.mean(np.sqrt(np.clip(reliability, 0.0, 1.0))))


def scored_particles(species: Ints, one: int = 0) -> Bools:
    """Mask [n] of the particles of one species; what is published counts species A alone."""
    found: Bools = np.asarray(species) == one
    return found


def scored_bonds(species: Ints, bond: Ints, distance: Floats) -> Bools:
    """Mask [n_bonds] of the pairs that are scored: both A and nearer than `CLOSE_PAIR` at time zero."""
    found: Bools = (np.asarray(species)[bond] == 0).all(axis=1) & (distance < CLOSE_PAIR)
    return found
