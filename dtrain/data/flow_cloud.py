"""Flow around obstacles as clips of a cloud: the cells of the grid and, near bodies, points that are finer.

Clips, noise, split and losses are those of the grid alone (`flow.py`); points add their own part to the loss. The nodes
of a cloud are the points of the file, then the cells of the grid, row by row, then blocks of cells (`clouds.py`). A
file without points gives a cloud without them.
Units: lattice units of the simulated grid.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from dtrain.data import Output, data
from dtrain.data.clips import Clips
from dtrain.data.clouds import EDGE_WIDTH, Clouds, CloudSeries, Nodes, graph_of, in_blocks
from dtrain.data.flow import AT_REST, CHANNELS, Flow
from dtrain.data.flow_options import FlowLoss, FlowOptions
from runkit.arrays import F32, I64, Bools
from runkit.errors import UserError

LABELS = 6  # of a node: point, cell or block; at the inlet, at the outlet, at a face along the flow


class FlowCloudOptions(FlowOptions):
    """Keys of [data]."""

    name: Literal["flow-cloud"] = Field("flow-cloud", description="name of a registered data set")  # type: ignore[assignment]
    blocks: tuple[int, ...] = Field(
        (4,), description="cells along a side of the blocks that carry messages far, level by level; none: no blocks"
    )

    graph: Literal["cloud", "points"] = Field(
        "cloud", description="which nodes are joined: all, or points alone, for networks that see the grid as a picture"
    )

    @field_validator("blocks")
    @classmethod
    def _grow(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(side <= less or side % less for less, side in zip((1, *value), value, strict=False)):
            raise ValueError(f"{list(value)} is not allowed; allowed: numbers from 2 on, each a multiple of the last")
        return value


class FlowCloudLoss(FlowLoss):
    """Keys of [loss]."""

    points: float = Field(1.0, ge=0, description="weight of the error at points near bodies against that on the grid")


@data("flow-cloud")
class FlowCloud(Flow):
    """The clips of a FLOW file on a cloud."""

    Options, Loss = FlowCloudOptions, FlowCloudLoss
    options: FlowCloudOptions

    @property
    def sizes(self) -> dict[str, Any]:
        n_fixed = 3 + LABELS + self.options.surface + self.options.viscosity  # distance, fluid fraction and width
        of_picture = super().sizes
        own = {"inputs": len(CHANNELS) + n_fixed, "edge_width": EDGE_WIDTH, "points": self.n_points}
        grid = {"grid": [self.dataset.sizes[axis] for axis in "xy"], "grid_inputs": of_picture["inputs"]}
        return {**of_picture, **own, **grid}

    def require(self, options: FlowLoss) -> None:
        super().require(options)
        if self.options.graph == "points" and not self.n_points:
            lack = f"{self.options.file} has no points near bodies; make it with frames.points"
            raise UserError(f"data.graph = 'points': {lack}")

    @staticmethod
    def stack(clips: list[Any]) -> Clips:
        return Clouds.stack(clips)

    def cells(self, values: Tensor) -> Tensor:
        """What nodes [..., k] have in the cells of the grid [..., x, y]."""
        nx, ny = self.dataset.sizes["x"], self.dataset.sizes["y"]
        found: Tensor = values[..., self.n_points : self.n_points + nx * ny].unflatten(-1, (nx, ny))
        return found

    def denormalised(self, frames: F32, fluid: Bools) -> F32:
        """Normalised frames of nodes [3, time, k], or of cells, on the grid in lattice units."""
        if frames.ndim == 3:
            frames = self.cells(torch.from_numpy(frames)).numpy()
        return super().denormalised(frames, fluid)

    def denormalised_points(self, case: int, frames: F32) -> F32:
        """Normalised frames of nodes [3, time, k] at the points of a case; at rest where there is no fluid."""
        fluid = self.levels(case)[0].fluid
        values = self.normalisation.denormalised(frames[..., : self.n_points])
        return np.where(fluid, values, AT_REST.reshape(-1, 1, 1)).astype(np.float32)

    def loss(self, output: Output, batch: Clips, options: FlowLoss) -> dict[str, Tensor]:
        assert isinstance(batch, Clouds) and isinstance(options, FlowCloudLoss)
        found = super().loss(tuple(map(self.cells, output)), self._on_grid(batch), options)
        if not self.n_points:
            return found
        error = (output[0] - self._wanted(output, batch)) * batch.fluid
        value, gradient = point_losses(error, batch, self.n_points)
        found["loss"] = found["loss"] + options.points * (value + options.gradient * gradient)
        return {**found, "points_loss": value, "points_gradient_loss": gradient}

    def scores(self, output: Output, batch: Clips) -> dict[str, float]:
        assert isinstance(batch, Clouds)
        return super().scores((self.cells(output[0]),), self._on_grid(batch))

    def levels(self, case: int) -> list[Nodes]:
        """Points, cells and blocks of a case; of points without fluid are those that there is only room for."""
        distance, fraction = (self.dataset[f"t0_fields/{name}"][case] for name in ("signed_distance", "fluid_fraction"))
        found = [Nodes.grid(distance, fraction, self.cell)]
        for side in self._sides:
            found.append(Nodes.grid(in_blocks(distance, side), in_blocks(fraction, side), side * self.cell))
        if not self.n_points:
            return found
        names = ("position", "width", "signed_distance", "fluid_fraction")
        position, width, *rest = (self.dataset[f"points/{name}"][case].astype(np.float64) for name in names)
        points = Nodes(np.nan_to_num(position), np.nan_to_num(width, nan=1.0), *map(np.nan_to_num, rest))
        return [points, *found]

    def _on_grid(self, batch: Clouds) -> Clips:
        """The cells of the grid alone, with the options beside the fields: distance and fluid."""
        target, distance, fluid = map(self.cells, (batch.target, batch.geometry[:, :1], batch.fluid))
        return Clips(target[:, :, :0], target, distance, fluid)

    @property
    def _n_values(self) -> int:
        levels = self.levels(self.cases["train"][0])
        _, edges = self._graph(levels)
        n_nodes = sum(len(level.width) for level in levels)
        numbers = 3 * 2  # cell, opposite and image, of twice the bytes
        return int(n_nodes * (3 * self.n_frames + self.sizes["inputs"] + numbers) + len(edges) * (EDGE_WIDTH + 4))

    def _graph(self, levels: list[Nodes]) -> tuple[I64, F32]:
        joined = levels if self.options.graph == "cloud" else levels[:1]
        return graph_of(joined, [n * self.cell for n in self.periods])

    def _still(self, case: int) -> CloudSeries:
        levels = self.levels(case)
        grid = levels[int(self.n_points > 0)]
        centre = np.concatenate([level.centre for level in levels])
        across = np.array([0.0, self.dataset.sizes["y"] * self.cell])
        starts = np.cumsum([0] + [len(level.width) for level in levels])
        edge_index, edge_attr = self._graph(levels)
        return CloudSeries(
            torch.empty(len(CHANNELS), 0, len(centre)),
            torch.from_numpy(self._of_nodes(case, levels)),
            torch.from_numpy(self._fluid_of_nodes(case).astype(np.float32))[None, None],
            torch.from_numpy(grid.holding(centre)),
            torch.from_numpy(grid.holding(np.abs(across - centre))),
            torch.from_numpy(np.concatenate([n + level.images for n, level in zip(starts, levels, strict=False)])),
            torch.from_numpy(edge_index),
            torch.from_numpy(edge_attr),
        )

    def _moving(self, case: int, start: int, n_frames: int | None) -> F32:
        values = self.frames(case, start, n_frames)
        parts = [values.reshape(*values.shape[:2], -1)]
        if self.n_points:
            parts.insert(0, self.at_points(case, start, n_frames))
        parts.append(np.zeros((*values.shape[:2], self._n_blocks)))
        return self._normalised(case, start, np.concatenate(parts, axis=-1), self._fluid_of_nodes(case))

    def _fluid_of_nodes(self, case: int) -> Bools:
        """Which nodes [k] have fields."""
        blocks = np.zeros(self._n_blocks, bool)
        return np.concatenate([self.fluid_at_points(case), self.fluid(case).reshape(-1), blocks])

    @property
    def _n_blocks(self) -> int:
        nx, ny = self.dataset.sizes["x"], self.dataset.sizes["y"]
        return sum(-(-nx // side) * -(-ny // side) for side in self._sides)

    @property
    def _sides(self) -> tuple[int, ...]:
        """Sides of the blocks that are among the nodes."""
        return self.options.blocks if self.options.graph == "cloud" else ()

    def _of_nodes(self, case: int, levels: list[Nodes]) -> F32:
        """What does not change in time at the nodes [f, k], the distance first."""
        joined = {name: np.concatenate([getattr(level, name) for level in levels]) for name in Nodes.NUMBERS}
        centre, width = joined["centre"], joined["width"]
        labels = np.zeros((LABELS, len(width)))
        kinds = [*([0] if self.n_points else []), 1, *(2 for _ in levels)][: len(levels)]
        labels[np.repeat(kinds, [len(level.width) for level in levels]), np.arange(len(width))] = 1
        ends = np.array([self.dataset.sizes[axis] * self.cell for axis in "xy"])
        low, high = ((place < width[:, None]).T for place in (centre, ends - centre))
        wraps_x, wraps_y = map(bool, self.periods)
        labels[3:] = [low[0] & (not wraps_x), high[0] & (not wraps_x), (low[1] | high[1]) & (not wraps_y)]
        distance, *others = self._fixed(case, joined["distance"])
        return np.stack(
            [distance, *others, joined["fraction"], 0.5 * np.log2(width / self.cell), *labels], dtype=np.float32
        )


def point_losses(error: Tensor, batch: Clouds, n_points: int) -> tuple[Tensor, Tensor]:
    """MSE [n] at points, of errors [n, 3, t, k], and of differences between points that are joined, as along two axes.

    Errors are 0 where there is no fluid.
    """
    n, k = error.shape[0], error.shape[-1]
    count = batch.fluid[:, 0, 0, :n_points].sum(1) * error.shape[1] * error.shape[2]
    value = error[..., :n_points].square().sum((1, 2, 3)) / count.clamp(min=1)
    source, target = batch.edge_index
    among = (torch.maximum(source % k, target % k) < n_points).to(error.dtype)
    of_nodes = error.permute(0, 3, 1, 2).reshape(n * k, -1)
    squares = (of_nodes.index_select(0, source) - of_nodes.index_select(0, target)).square().mean(1) * among
    total, pairs = error.new_zeros(2, n).index_add(1, target // k, torch.stack([squares, among]))
    return value, 2 * total / pairs.clamp(min=1)
