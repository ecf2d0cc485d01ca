"""Symmetry planes: faces of the domain beyond which a flow goes on as its own mirror image (method of images).

A plane lies half a cell beyond the outermost cells. In the image the velocity across it has the opposite sign.
Source: H. Lamb, Hydrodynamics, 6th ed. (1932), chapter VII (images of vortices in plane walls).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Planes = tuple[tuple[bool, bool], tuple[bool, bool]]  # whether the low and the high face of x, and of y, are planes
NO_PLANES: Planes = ((False, False), (False, False))
ACROSS = ((-2, 1), (-1, 2))  # axes, and which quantity is the velocity along each


def planes_of(planes: Sequence[Sequence[bool]]) -> Planes:
    """Those of an argument; ValueError unless they are two pairs of true or false."""
    pairs = [list(pair) for pair in planes]
    if [len(pair) for pair in pairs] != [2, 2] or not all(type(face) is bool for pair in pairs for face in pair):
        raise ValueError(f"planes = {planes!r} is not allowed; allowed: two pairs of true or false")
    return (pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1])


def with_images(picture: Tensor, planes: Planes, reach: int, n_frames: int) -> Tensor:
    """Fields [n, channel, x, y] with `reach` cells of their image at each plane.

    The channels are `n_frames` of density, as many of each velocity, and what has no direction. A domain that is
    shorter than the reach has one image of all of its cells.
    """
    for (axis, velocity), (low, high) in zip(ACROSS, planes, strict=True):
        n = picture.shape[axis]
        depth = min(reach, n)
        of_velocity = slice(velocity * n_frames, (velocity + 1) * n_frames)
        ends = [_image(picture.narrow(axis, start, depth), axis, of_velocity) for start in (0, n - depth)]
        picture = torch.cat([*ends[: int(low)], picture, *ends[1 : 1 + int(high)]], axis)
    return picture


def inner(frames: Tensor, planes: Planes, reach: int, shape: Sequence[int]) -> Tensor:
    """The cells [..., *shape] of fields [..., x, y] that `with_images` made."""
    for (axis, _), (low, _), n in zip(ACROSS, planes, shape, strict=True):
        frames = frames.narrow(axis, min(reach, n) * int(low), n)
    return frames


def _image(part: Tensor, axis: int, of_velocity: slice) -> Tensor:
    image = part.flip(axis)
    image[:, of_velocity].neg_()  # flip has made a copy
    return image
