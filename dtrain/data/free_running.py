"""Free running: in training a network goes on by itself, and the statistics of its own flow count.

Errors of frames say nothing of the flow that a network settles on after hundreds of calls: by then the phase of its
vortices is its own. Mean and fluctuation over time do not depend on the phase. So after the frames that are predicted
the network makes many calls without gradients, and then some with gradients, through all of them, whose statistics
have errors that can be learnt from.

Source: Y. Schiff et al., arXiv:2402.04467 (statistics of the attractor as a term of the loss).
Units: frames are in units of their spread.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from pydantic import Field
from torch import Tensor

from dtrain.data import Network
from dtrain.data.clips import Clips, rollout
from dtrain.losses import masked_mean
from runkit.config import Config

LEAST = 1e-4  # variance that is added, so that gradients of its root stay finite


class FreeRunning(Config):
    """The network's own flow in training: of a cloud its cells on the grid, not its points."""

    calls: int = Field(
        0,
        ge=0,
        description="calls of the network without gradients, which follow the frames that are predicted in training; "
        "0: none",
    )
    window: int = Field(
        8, ge=2, description="calls with gradients after these, over whose frames statistics are taken: some periods"
    )

    @property
    def n_calls(self) -> int:
        """Calls whose frames need as many of the simulation beside them."""
        return self.window if self.calls else 0


def own_flow(network: Network, clips: Clips, last: Tensor, options: FreeRunning, recompute: bool) -> Tensor:
    """The frames [n, 3, t * window, x, y] that the network comes to from the `last` ones [n, 3, t, x, y]."""
    t = last.shape[2]
    with torch.no_grad():
        reached = rollout(network, replace(clips, given=last), t * options.calls, full_gradient=False)
    return rollout(network, replace(clips, given=reached), t * options.window, recompute=recompute)


def statistics_error(found: Tensor, wanted: Tensor, fluid: Tensor) -> Tensor:
    """Squared errors of mean, rms and rms change over time of [n, channel, t, …], in cells with fluid [n].

    Each is a mean over channels and cells; the rms change from frame to frame tells the frequency.
    """
    total = torch.zeros(len(found), device=found.device, dtype=found.dtype)
    for statistic in (_mean, _rms, _rms_change):
        total = total + masked_mean((statistic(found) - statistic(wanted)).square(), fluid)
    return total


def _mean(frames: Tensor) -> Tensor:
    return frames.mean(dim=2, keepdim=True)


def _rms(frames: Tensor) -> Tensor:
    """Of the fluctuation about the mean."""
    return (frames.var(dim=2, keepdim=True, correction=0) + LEAST).sqrt()


def _rms_change(frames: Tensor) -> Tensor:
    """From frame to frame."""
    return (frames.diff(dim=2).square().mean(dim=2, keepdim=True) + LEAST).sqrt()
