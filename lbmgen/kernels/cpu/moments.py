"""Density and velocity of a block of sites, in double precision and in a fixed order of sums."""

from __future__ import annotations

import numpy as np

from lbmgen.kernels import BlockData
from lbmgen.kernels.cpu.totals import totals
from runkit.arrays import F64, Floats


def moments(data: BlockData, h: Floats, state: int) -> tuple[F64, F64]:
    """Density [*shape] and velocity [*shape, d] of populations `h`; 1 and 0 in solid sites."""
    rows, shape = data.rows.start, data.solid.shape
    density = np.zeros((len(rows), shape[-1]))
    momentum = np.zeros((len(shape), *density.shape))
    # What has arrived lies where the next step, which is of the other parity, reads it.
    totals(h, rows, np.array(data.places[1 - state]), data.c, density, momentum)
    density = np.where(data.solid, 0.0, density.reshape(shape)) + 1.0
    momentum = momentum.reshape(-1, *shape)
    # Guo: the velocity is that half way through the force's push.
    for axis, push in enumerate(data.force):
        momentum[axis] += 0.5 * push
    return density, np.moveaxis(np.where(data.solid, 0.0, momentum / density), 0, -1)
