"""Noise on the frames that a network of flow is given in training, so that it learns to come back to the flow.

White, or as strong in patches of all sizes; of velocity from a stream function, where the network's has one.
Units: the spread of a field.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dtrain.data.tensors import numbers
from dtrain.models.mirrors import planes_of
from dtrain.models.stream_function import curl
from runkit.arrays import F64


@dataclass(frozen=True)
class Noise:
    """Noise of a `spread`, in patches of up to `reach` cells, of flows with these `periods` and symmetry `planes`.

    With the `units` of both velocities that of velocity has no divergence.
    """

    spread: float
    reach: int
    periods: Sequence[int]
    planes: Sequence[Sequence[bool]]
    units: Sequence[float] | None

    def of(self, streams: Sequence[np.random.Generator], shape: Sequence[int], device: torch.device) -> Tensor:
        """That of clips [n, channel, t, x, y], each from a stream of its own."""
        faces = [(True, True) if n else pair for pair, n in zip(self.planes, self.periods, strict=True)]
        closed = None if self.units is None else faces
        values = np.stack([noise_of(random, shape, self.reach, closed) for random in streams])
        found = numbers(self.spread * values, device)
        if self.units is None:
            return found
        wraps = self.periods[0] > 0, self.periods[1] > 0
        return torch.cat([found[:, :1], curl(found[:, 1:], wraps, self.units, planes_of(self.planes))], 1)


def noise_of(
    random: np.random.Generator, shape: Sequence[int], reach: int, closed: Sequence[Sequence[bool]] | None
) -> F64:
    """Noise of density and velocities for frames [channel, t, x, y]; with `closed`, of density and a stream function.

    `reach` and `closed` are those of `patches` and `eddies`.
    """
    if closed is None:
        return strength(random, reach) * patches(random, shape, reach)
    parts = patches(random, (1, *shape[1:]), reach), eddies(random, shape[1:], reach, closed)
    return strength(random, reach) * np.concatenate(parts)


def patches(random: np.random.Generator, shape: Sequence[int], reach: int) -> F64:
    """Noise [channel, t, x, y] of spread 1: white, or as strong in patches of each of 1, 2, 4, … up to `reach` cells.

    White noise is drawn anew for each frame; wider patches stay the same over the frames of a clip, as what drifts in
    a rollout does.
    """
    n_channels, _, nx, ny = shape
    total: F64 = random.normal(size=shape)
    for width in _widths(reach):
        coarse = random.normal(size=(n_channels, -(-nx // width) + 1, -(-ny // width) + 1))
        x, y = random.integers(width, size=2)  # patches lie anywhere
        total += coarse.repeat(width, 1).repeat(width, 2)[:, None, x : x + nx, y : y + ny]
    return total / math.sqrt(1 + len(_widths(reach)))


def eddies(random: np.random.Generator, shape: Sequence[int], reach: int, closed: Sequence[Sequence[bool]]) -> F64:
    """A stream function [1, t, x, y] whose velocities are noise as `patches` gives it, but without divergence.

    `closed` says of the low and the high face of x and of y whether the noise sends no flow through.
    """
    _, nx, ny = shape
    total: F64 = np.zeros((nx, ny))
    for width in _widths(reach):
        coarse = random.normal(size=(-(-nx // width) + 2, -(-ny // width) + 2))
        for axis, n in enumerate((nx, ny)):
            place = (np.arange(n) + random.integers(width)) / width
            below, part = place.astype(int), np.expand_dims(place % 1, 1 - axis)
            coarse = (1 - part) * coarse.take(below, axis) + part * coarse.take(below + 1, axis)
        total += width * math.sqrt(0.75) * coarse  # a slope has a variance of 2 / width^2, times 2/3 between nodes
    for axis, faces in enumerate(closed):
        total = _without_ends(total, axis, *faces)
    white = math.sqrt(2.0) * random.normal(size=(1, *shape))  # differences of neighbours but one, halved
    return (total + white) / math.sqrt(1 + len(_widths(reach)))


def _without_ends(values: F64, axis: int, low: bool, high: bool) -> F64:
    """Less what is at the low end, at the high end, or what leads from one to the other in a straight line."""
    first, last = values.take([0], axis), values.take([-1], axis)
    if not (low and high):
        return values - low * first - high * last
    part = np.expand_dims(np.linspace(0.0, 1.0, values.shape[axis]), 1 - axis)
    return values - (1 - part) * first - part * last


def strength(random: np.random.Generator, reach: int) -> float:
    """That of the noise of a clip: 1, or with patches normally distributed.

    So most clips are nearly clean, and in some the network has to find the flow again from where bodies are.
    """
    return 1.0 if reach == 1 else random.normal()


def _widths(reach: int) -> list[int]:
    """Widths of patches beside single cells."""
    return [2**k for k in range(1, reach.bit_length())]
