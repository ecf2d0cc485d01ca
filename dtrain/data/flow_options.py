"""Keys of `[data]` and of `[loss]` in a recipe for flow."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, field_validator

from dtrain.data import Options
from dtrain.data.free_running import FreeRunning
from dtrain.data.split import Split
from dtrain.flow_physics import TERMS
from runkit.config import Config
from runkit.errors import UserError


class Outside(Config):
    """Cases that are left out of the split, to see how far a network carries."""

    families: list[str] = Field([], description="obstacle families that are left out")
    reynolds: list[float] = Field(
        [], description="[low, high, …]: ranges of Reynolds numbers that are left out, one after another; []: none"
    )

    @field_validator("reynolds")
    @classmethod
    def _are_ranges(cls, value: list[float]) -> list[float]:
        if len(value) % 2 or any(low >= high for low, high in pairwise(value)):
            raise ValueError("numbers low < high < low < high …, an even count of them, or none")
        return value

    def has(self, reynolds: float, families: set[str]) -> bool:
        """Whether a case is left out: its Reynolds number is, or a family of its obstacles."""
        ranges = zip(self.reynolds[::2], self.reynolds[1::2], strict=True)
        return any(low <= reynolds <= high for low, high in ranges) or not families.isdisjoint(self.families)


class FlowOptions(Options):
    """Keys of [data]."""

    name: Literal["flow"] = Field("flow", description="name of a registered data set")
    file: str = Field("data/flow.h5", min_length=1, description="FLOW file")
    frames: int = Field(3, ge=1, description="frames that the network sees, and that it gives at once")
    unroll: int = Field(1, ge=1, description="calls of the network in a training clip, its output being fed back")
    through: bool = Field(False, description="gradients through all calls; else through the last one alone")
    recompute: bool = Field(
        False,
        description="calls with gradients are computed again in the backward pass: memory of one, a third more time",
    )
    noise: float = Field(0.0, ge=0, description="noise on given frames in training [spread of the field]")
    noise_reach: int = Field(
        1,
        ge=1,
        le=4096,
        description="largest patch of noise [cells]; above 1: as strong in patches of 1, 2, 4, …, and in each clip "
        "of another strength, normally distributed",
    )
    noise_stream: bool = Field(
        False,
        description="noise of velocity comes from a stream function, so that it has no divergence: for a network with "
        "model.parameters.stream, which could not take any away",
    )
    free: FreeRunning = FreeRunning()
    surface: bool = Field(False, description="the network sees beside the distance one that is steep at surfaces")
    viscosity: bool = Field(False, description="the network sees the Reynolds number of a cell beside the distance")
    horizon: int = Field(12, ge=1, description="frames that are rolled out in a validation")
    periodic: bool = Field(True, description="the network sees the other side beyond periodic faces; else zeros")
    mirror: bool = Field(True, description="reflect half of the clips in y, if both y faces are alike")
    split: Split = Split()
    outside: Outside = Outside()

    @property
    def n_target(self) -> int:
        """Frames that follow those given in a clip of the training."""
        return self.frames * max(self.unroll, self.free.n_calls)

    @property
    def longest(self) -> str:
        """The key, with its value, that makes clips of the training long."""
        of_window = self.free.n_calls > self.unroll
        return f"data.free.window ({self.free.window})" if of_window else f"data.unroll ({self.unroll})"


class FlowLoss(Config):
    """Keys of [loss]."""

    gradient: float = Field(1.0, ge=0, description="weight of the error of spatial gradients against that of values")
    continuity: float = Field(0.0, ge=0, description="weight of the error of the residual of continuity")
    momentum: float = Field(0.0, ge=0, description="weight of the error of the residual of momentum, without viscosity")
    wall: float = Field(0.0, ge=0, description="weight of the error of the velocity continued to surfaces")
    faces: float = Field(0.0, ge=0, description="weight of the error of velocity in the cells at the faces")
    statistics: float = Field(
        0.2,
        ge=0,
        description="weight of the error of mean and rms over time of the network's own flow; nothing without "
        "data.free.calls",
    )

    @property
    def physics(self) -> dict[str, float]:
        """The weights of what equations say, of those that count."""
        return {name: weight for name in TERMS if (weight := getattr(self, name)) > 0}

    def require(self, data: FlowOptions) -> None:
        """UserError if clips do not hold what a weight needs, or hold what no weight asks for."""
        n_frames = data.frames * (data.unroll if data.through else 1)
        if self.physics.keys() & {"continuity", "momentum"} and n_frames < 3:
            told = f"data.frames = {data.frames}: a change in time needs three frames that are predicted"
            raise UserError(f"{told}; raise data.frames, or data.unroll with data.through = true")
        if data.free.calls and not self.statistics:
            told = f"loss.statistics = 0 with data.free.calls = {data.free.calls}: calls whose frames would not count"
            raise UserError(f"{told}; allowed: a weight above 0, or data.free.calls = 0")
