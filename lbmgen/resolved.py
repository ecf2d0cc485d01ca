"""Whether a grid resolves a body given by its signed distance: no part is thinner than a site.

A plate between two rows of sites makes none of them solid, and the fluid flows through it; one on a row makes a wall
of single sites. Both show in the distance: a piece of solid sites that is nowhere two sites wide nor half a site deep,
or two fluid sites side by side from both of which the distance falls to a surface before it reaches the other. A tip or
an edge that tapers out of a thick body does so too: it is let pass within NEAR sites of solid ones. A piece that ends
at a face of the domain may go on beyond.

Units: sites.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from runkit.arrays import F64, Bools
from runkit.errors import UserError

LEAST_DEPTH = 0.5  # of the deepest site of a piece
NEAR = 5  # sites


def require_resolved(distance: F64, periodic: Sequence[bool]) -> None:
    """Raise UserError if a part of a body is thinner than a site; signed distance [*shape], negative inside."""
    solid, block = distance <= 0, np.ones((3,) * distance.ndim)
    near = ndimage.binary_dilation(solid, block, NEAR) if solid.any() else solid
    pieces, n_pieces = ndimage.label(near, block)
    wide = ndimage.binary_erosion(solid, np.ones((2,) * solid.ndim))  # more than a site across, along every axis
    for piece in range(1, n_pieces + 1):
        here = (pieces == piece) & solid
        if not wide[here].any() and -distance[here].min() < LEAST_DEPTH and not _ends_at_face(here, periodic):
            place, thickness = np.argwhere(here)[0].tolist(), -2 * distance[here].min()
            raise UserError(
                f"sdf: the body at site {place} is {thickness:.3g} sites thick; allowed: 1 or more, best 4 or more; "
                "raise the resolution"
            )
    for axis in range(solid.ndim):
        crossed = _crossed(np.moveaxis(distance, axis, 0), periodic[axis]) & ~np.moveaxis(near, axis, 0)
        if crossed.any():
            place = np.argwhere(np.moveaxis(crossed, 0, axis))[0].tolist()
            raise UserError(
                f"sdf: there is a surface between site {place} and the next one along axis {axis}, and both are fluid: "
                "the body is thinner than a site there; raise the resolution"
            )


def _ends_at_face(piece: Bools, periodic: Sequence[bool]) -> bool:
    return any(
        not is_periodic and np.moveaxis(piece, axis, 0)[[0, -1]].any() for axis, is_periodic in enumerate(periodic)
    )


def _crossed(distance: F64, periodic: bool) -> Bools:
    """Whether a surface lies between a fluid site and the next along the first axis, by the slopes beside them."""
    if len(distance) < 4:
        return np.zeros(distance.shape, bool)
    before, here, there, beyond = (np.roll(distance, shift, axis=0) for shift in (1, 0, -1, -2))
    falls = (2 * here - before <= 0) & (2 * there - beyond <= 0) & (before > 0) & (beyond > 0)
    result = (here > 0) & (there > 0) & falls
    if not periodic:
        result[[0, -1, -2]] = False
    return result
