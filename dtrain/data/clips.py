"""Clips: a few frames that are given, those to be predicted, and the feeding back of predictions.

Channels are density, velocity x, velocity y in units of their spread, 0 in cells without fluid; a network sees the
signed distance, and with `data.viscosity` the viscosity, beside them.
Source: J. Brandstetter et al., arXiv:2202.03376 (gradients through the last call alone); T. Chen et al.,
arXiv:1604.06174 (memory by computing again).
Units: cells of the stored grid for distances.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from dtrain.data import Network, Output
from dtrain.data.tensors import Tensors
from runkit.arrays import F32, Floats

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
