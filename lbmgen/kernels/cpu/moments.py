"""Density and velocity of a block of sites, in double precision and in a fixed order of sums."""

from __future__ import annotations

import numpy as np

from lbmgen.kernels import Part
from lbmgen.kernels.cpu.totals import totals
from runkit.arrays import F64, Floats


def moments(part: Part, h: Floats, state: int) -> tuple[F64, F64]:
    """Density [*shape] and velocity [*shape, d] of populations `h`; 1 and 0 in solid sites."""
    rows, shape = part.rows.start, part.solid.shape
    density = np.zeros((len(rows), shape[-1]))
    momentum = np.zeros((len(shape), *density.shape))
    totals(h, rows, np.array(part.places[1 - state]), part.c, density, momentum)
    density = np.where(part.solid, 0.0, density.reshape(shape)) + 1.0
    momentum = momentum.reshape(-1, *shape)
    for axis, push in enumerate(part.force):
        momentum[axis] += 0.5 * push
    return density, np.moveaxis(np.where(part.solid, 0.0, momentum / density), 0, -1)
