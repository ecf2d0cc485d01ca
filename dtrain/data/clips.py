"""Clips: a few frames that are given, those to be predicted, and the feeding back of predictions.

Channels are density, velocity x, velocity y in units of their spread, 0 in cells without fluid; a network sees the
signed distance, and with `data.viscosity` the viscosity, beside them.
Source: J. Brandstetter et al., arXiv:2202.03376 (gradients through the last call alone); T. Chen et al.,
arXiv:1604.06174 (memory by computing again).
Units: cells of the stored grid for distances.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from dtrain.data import Network, Output
from dtrain.data.tensors import Tensors
from runkit.arrays import F32, F64, Floats

REACH = 8.0  # cells from a surface over which the network resolves distances well
NEAR = 1.0  # the same of a distance that separates fluid from body


@dataclass(frozen=True)
class Clips(Tensors):
    """A batch: `given` and `target` [n, 3, t, x, y], `geometry` [n, 1 to 3, x, y], `fluid` [n, 1, 1, x, y] (1 or 0)."""

    given: Tensor
    target: Tensor
    geometry: Tensor
    fluid: Tensor

    @classmethod
    def stack(cls, clips: list[Clips]) -> Clips:
        """Single clips, each without the first axis, as one batch."""
        parts = zip(*(clip.tensors().values() for clip in clips), strict=True)
        return cls(*(torch.stack(part) for part in parts))

    def mirrored(self) -> Clips:
        """Reflected in y, the last axis, under which velocity y changes its sign."""
        turned = self.each(lambda tensor: tensor.flip(-1))
        for frames in (turned.given, turned.target):
            frames.select(-4, 2).neg_()  # flip has made a copy
        return turned

    def where(self, chosen: Tensor, other: Clips) -> Clips:
        """These clips where `chosen` [n] is true, those of another batch elsewhere."""
        ours, others = self.tensors().values(), other.tensors().values()
        return Clips(
            *(torch.where(chosen.view(-1, *(1,) * (a.dim() - 1)), a, b) for a, b in zip(ours, others, strict=True))
        )

    def seen(self, frames: Tensor) -> Tensor:
        """What the network sees of frames [n, 3, t, x, y]: them and the geometry, [n, 4 to 6, t, x, y]."""
        geometry = self.geometry[:, :, None].expand(-1, -1, frames.shape[2], -1, -1)
        return torch.cat([frames, geometry.to(frames.dtype)], dim=1)

    def of_cells(self, values: Tensor) -> Tensor:
        """Values [n, …, x, y] of the cells of the grid where the fields of these clips are."""
        return values

    def inputs(self, frames: Tensor) -> tuple[Tensor, ...]:
        """What the network is called with for frames."""
        return (self.seen(frames),)


@dataclass(frozen=True)
class Series(Tensors):
    """Normalised `frames` [3, t, x, y] of a case, `geometry` [1 to 3, x, y], `fluid` [1, 1, x, y] (1 or 0)."""

    frames: Tensor
    geometry: Tensor
    fluid: Tensor

    def clip(self, start: int, n_given: int, n_target: int) -> Clips:
        """Frames from one on, without copying."""
        given, target = self.frames[:, start : start + n_given + n_target].split([n_given, n_target], dim=1)
        return Clips(given, target, self.geometry, self.fluid)


def geometry_of(distance: Floats, cell: float, reach: float = REACH) -> F32:
    """Signed distances in sites as a network sees them: of order one, steep at surfaces, flat beyond `reach` cells."""
    found: F32 = np.tanh(distance / (reach * cell)).astype(np.float32)
    return found


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


def distance_of(geometry: Tensor, cell: float) -> Tensor:
    """Signed distances in sites from what a network sees of them, as far as that resolves them."""
    return geometry.clamp(-0.999, 0.999).atanh() * (REACH * cell)


def rollout(
    network: Network, clips: Clips, n_frames: int, full_gradient: bool = True, recompute: bool = False
) -> Tensor:
    """The next frames [n, 3, n_frames, x, y], the network's output being fed back to it.

    With `full_gradient = False` gradients flow through the last call alone, and only its frames are returned. With
    `recompute` the backward pass computes each call again instead of keeping what is inside it: a third more time, and
    the memory of one call and of the frames between calls.
    """
    frames, found = clips.given, []
    n_calls = -(-n_frames // frames.shape[2])
    for call in range(n_calls):
        learns = torch.is_grad_enabled() and (full_gradient or call == n_calls - 1)
        with torch.set_grad_enabled(learns):
            inputs = clips.inputs(frames)
            (answer,) = _recomputed(network, inputs) if recompute and learns else network(*inputs)
            frames = answer * clips.fluid
        found.append(frames)
    return torch.cat(found, dim=2)[:, :, :n_frames] if full_gradient else found[-1]


def _recomputed(network: Network, inputs: tuple[Tensor, ...]) -> Output:
    """A call whose inside is computed again in the backward pass, where statistics are not gathered once more."""
    found: Output = checkpoint(
        network, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _kept(network))
    )
    return found


@contextmanager
def _kept(network: Network) -> Iterator[None]:
    """Leaves the buffers of a network, such as running statistics, as they were."""
    before = [buffer.clone() for buffer in network.buffers()]
    try:
        yield  # torch leaves by an exception as soon as it has what it needs
    finally:
        for buffer, value in zip(network.buffers(), before, strict=True):
            buffer.copy_(value)
