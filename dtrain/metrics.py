"""Pearson correlation as published, the masks that it is taken over, and its ceiling.

Published figures are of A particles and AA pairs of the first coordination shell, at one time. A label is a mean over
few replicas, so that even a perfect prediction correlates with it only as the square root of its reliability: the
ceiling. What holds a number that is not finite scores NaN.

Source: H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791 (masks and score).
Units: Lennard-Jones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from runkit.arguments import numbers
from runkit.arrays import F64, Bools, Floats, Ints
from runkit.dataset.contracts.isoconfig import CLOSE_PAIR
from runkit.errors import UserError


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson correlation of two arrays of one shape; NaN if one does not vary or holds fewer than two items.

    Raises UserError for what is no such pair of arrays.
    """
    x, y = numbers("x", x), numbers("y", y)
    if x.shape != y.shape:
        raise UserError(f"y: shape {x.shape}, that of x, is needed, not {y.shape}")
    if x.size < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return float("nan")
    x, y = _centred(x.ravel()), _centred(y.ravel())
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip((x @ y) / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def _centred(values: F64) -> F64:
    """Values less their mean, in a power of two: neither sums nor squares leave the range of numbers."""
    exponent = int(np.frexp(np.abs(values).max())[1])
    scaled = np.ldexp(values, -exponent)
    centred = scaled - scaled.mean()
    found: F64 = np.ldexp(centred, -int(np.frexp(np.abs(centred).max())[1]))
    return found


def ceiling(reliability: ArrayLike) -> float:
    """The largest mean correlation that a perfect prediction can reach, from reliabilities of configurations.

    Raises UserError for what are no numbers.
    """
    found = numbers("reliability", reliability)
    if not found.size:
        raise UserError("reliability: that of one configuration at least is needed")
    return float(np.mean(np.sqrt(np.clip(found, 0.0, 1.0))))


def scored_particles(species: Ints, one: int = 0) -> Bools:
    """Mask [n] of the particles of one species; what is published counts species A alone."""
    found: Bools = np.asarray(species) == one
    return found


def scored_bonds(species: Ints, bond: Ints, distance: Floats) -> Bools:
    """Mask [n_bonds] of the pairs that are scored: both A and nearer than `CLOSE_PAIR` at time zero."""
    found: Bools = (np.asarray(species)[bond] == 0).all(axis=1) & (distance < CLOSE_PAIR)
    return found
