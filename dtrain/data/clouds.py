"""Clouds: a flow past bodies as the graph of nodes that are fine near bodies and coarse far away, in levels.

Nodes are the points near bodies of a file, the cells of its grid, and blocks of cells, which have no fields of their
own and carry messages far. Within a level nodes that are near for their width are joined, by a k-d tree; between levels
each node and the one of the next level in which it lies. Nodes without fluid have no edges.
Source: M. Lino et al., Phys. Fluids 34, 087110 (2022), doi:10.1063/5.0097679 (message passing on several levels).
Units: sites.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from dtrain.data.clips import Clips, Series
from runkit.arrays import F32, F64, I64, Bools, Floats

NEAR = 1.5  # widths up to which nodes of a level are joined: the eight neighbours of a cell
EDGE_WIDTH = 5  # numbers of an edge
ACROSS = 1  # which of them is the component along y


@dataclass(frozen=True)
class Nodes:
    """Nodes of one level: centres [n, 2], widths [n], signed distances [n], fluid fractions [n].

    Those of a grid or of blocks lie row by row, `shape` of them along x and y; (0, 0) for points.
    """

    NUMBERS: ClassVar = ("centre", "width", "distance", "fraction")

    centre: F64
    width: F64
    distance: F64
    fraction: F64
    shape: tuple[int, int] = (0, 0)

    @classmethod
    def grid(cls, distance: Floats, fraction: Floats, width: float) -> Nodes:
        """Cells of some width, of arrays [x, y]."""
        nx, ny = distance.shape
        axes = [width * (np.arange(n) + 0.5) for n in (nx, ny)]
        centre = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        flat = [np.asarray(values, np.float64).reshape(-1) for values in (distance, fraction)]
        return cls(centre, np.full(len(centre), width), flat[0], flat[1], (nx, ny))

    @property
    def fluid(self) -> Bools:
        """Which of them take part."""
        return self.fraction > 0

    def holding(self, places: F64) -> I64:
        """The number of the cell of this grid in which each of some places [n, 2] lies."""
        nx, ny = self.shape
        x, y = (np.minimum(places[:, axis] // self.width[0], n - 1) for axis, n in enumerate((nx, ny)))
        found: I64 = (x * ny + y).astype(np.int64)
        return found

    @property
    def images(self) -> I64:
        """The number [n] of the node that lies where the image of each lies, reflected in y; of points their own."""
        number = np.arange(len(self.width))
        return number.reshape(self.shape)[:, ::-1].ravel() if any(self.shape) else number


@dataclass(frozen=True)
class Clouds(Clips):
    """A batch: `given` and `target` [n, 3, t, k], `geometry` [n, f, k], `fluid` [n, 1, 1, k], 1 where there is a field.

    `cell` [n, k] is the number of the grid's cell in which each node lies, `opposite` [n, k] that in which its mirror
    image lies, `image` [n, k] the number that a node has in the mirrored flow: cells and blocks change places, points
    keep theirs. The edges of all clouds follow each other: `edge_index` [2, n_edges] counts the nodes of all on,
    `edge_attr` is [n_edges, EDGE_WIDTH].
    """

    cell: Tensor
    opposite: Tensor
    image: Tensor
    edge_index: Tensor
    edge_attr: Tensor

    @classmethod
    def stack(cls, clips: list[Clips]) -> Clouds:
        """Single clouds, each without the first axis, as one batch."""
        parts = [clip.tensors() for clip in clips]
        k = parts[0]["given"].shape[-1]
        edges = [part.pop("edge_index") + k * i for i, part in enumerate(parts)], [p.pop("edge_attr") for p in parts]
        stacked = {name: torch.stack([part[name] for part in parts]) for name in parts[0]}
        return cls(**stacked, edge_index=torch.cat(edges[0], 1), edge_attr=torch.cat(edges[1]))

    def mirrored(self) -> Clouds:
        """Reflected in y, under which velocity y, and what edges carry of y, change their sign.

        Cells lie row by row again, so that they are the picture of the mirrored flow.
        """
        device, (n, k) = self.given.device, self.cell.shape
        frames = torch.ones(1, 3, 1, 1, device=device)
        frames[:, 2] = -1
        edges = torch.ones(EDGE_WIDTH, device=device)
        edges[ACROSS] = -1
        new_number = (self.image + k * torch.arange(n, device=device)[:, None]).flatten()

        def moved(values: Tensor) -> Tensor:
            where = self.image.view(n, *(1 for _ in values.shape[2:]), k).expand_as(values)
            return values.gather(-1, where)  # an image of an image is the node itself

        return Clouds(
            *(moved(self.given) * frames, moved(self.target) * frames, moved(self.geometry), moved(self.fluid)),
            *(moved(self.opposite), moved(self.cell), self.image),
            *(new_number[self.edge_index], self.edge_attr * edges),
        )

    def where(self, chosen: Tensor, other: Clips) -> Clouds:
        """These clouds where `chosen` [n] is true, those of another batch with as many nodes and edges elsewhere."""
        assert isinstance(other, Clouds)
        of_edge = chosen[self.edge_index[1] // self.cell.shape[1]]
        of = {"edge_index": of_edge, "edge_attr": of_edge[:, None]}
        others = other.tensors()
        return Clouds(
            **{
                name: torch.where(of.get(name, chosen.view(-1, *(1,) * (ours.dim() - 1))), ours, others[name])
                for name, ours in self.tensors().items()
            }
        )

    def of_cells(self, values: Tensor) -> Tensor:
        """Values [n, channel, t, x, y] of cells at the nodes that lie in them [n, channel, t, k]."""
        flat = values.flatten(3)
        return flat.gather(3, self.cell[:, None, None].expand(-1, *flat.shape[1:3], -1))

    def inputs(self, frames: Tensor) -> tuple[Tensor, ...]:
        """What the network is called with for frames."""
        return frames, self.geometry.to(frames.dtype), self.cell, self.edge_index, self.edge_attr


@dataclass(frozen=True)
class CloudSeries(Series):
    """Normalised `frames` [3, t, k] of a case, `geometry` [f, k], `fluid` [1, 1, k], and its graph as in `Clouds`."""

    cell: Tensor
    opposite: Tensor
    image: Tensor
    edge_index: Tensor
    edge_attr: Tensor

    def clip(self, start: int, n_given: int, n_target: int) -> Clouds:
        """Frames from one on, without copying."""
        given, target = self.frames[:, start : start + n_given + n_target].split([n_given, n_target], dim=1)
        still = {name: value for name, value in self.tensors().items() if name != "frames"}
        return Clouds(given, target, **still)


def in_blocks(values: Floats, side: int) -> F64:
    """Means [blocks along x, along y] of values [x, y] over blocks of side x side cells, the last of what is left."""
    nx, ny = values.shape
    padded = np.pad(values.astype(np.float64), [(0, -nx % side), (0, -ny % side)], constant_values=np.nan)
    found: F64 = np.nanmean(padded.reshape(padded.shape[0] // side, side, -1, side), axis=(1, 3))
    return found


def within(nodes: Nodes, periods: Sequence[float]) -> tuple[I64, F64]:
    """Both directions [n, 2] of all pairs of a level that are near for the wider one, and their vectors [n, 2].

    `periods` are the lengths after which a domain repeats, 0: it does not.
    """
    active = np.flatnonzero(nodes.fluid)
    if len(active) < 2:
        return np.zeros((0, 2), np.int64), np.zeros((0, 2))
    centre, width = nodes.centre[active], nodes.width[active]
    pairs = cKDTree(centre, boxsize=periods).query_pairs(NEAR * width.max(), output_type="ndarray")
    vectors = centre[pairs[:, 1]] - centre[pairs[:, 0]]
    for axis, period in enumerate(periods):
        if period:
            vectors[:, axis] -= period * np.rint(vectors[:, axis] / period)
    near = np.hypot(*vectors.T) <= NEAR * width[pairs].max(axis=1)
    pairs, vectors = active[pairs[near]], vectors[near]
    return np.concatenate([pairs, pairs[:, ::-1]]), np.concatenate([vectors, -vectors])


def graph_of(levels: Sequence[Nodes], periods: Sequence[float]) -> tuple[I64, F32]:
    """`edge_index` [2, n_edges], in the order of targets, and `edge_attr` of levels, nodes being counted on.

    All levels but the first are grids. What an edge carries: the vector from source to target and its length over the
    width of the wider of the two, the logarithm of the ratio of their widths, and whether it joins two levels.
    """
    starts = np.cumsum([0] + [len(nodes.width) for nodes in levels])
    pairs, vectors, joins = [], [], []
    for k, nodes in enumerate(levels):
        found, between = within(nodes, periods)
        pairs.append(found + starts[k])
        vectors.append(between)
        joins.append(np.zeros(len(found)))
        if k + 1 < len(levels):
            lower, next_level = np.flatnonzero(nodes.fluid), levels[k + 1]
            upper = next_level.holding(nodes.centre[lower])
            between = next_level.centre[upper] - nodes.centre[lower]
            up = np.stack([lower + starts[k], upper + starts[k + 1]], axis=1)
            pairs += [up, up[:, ::-1]]
            vectors += [between, -between]
            joins.append(np.ones(2 * len(up)))
    source, target = np.concatenate(pairs).T
    width = np.concatenate([nodes.width for nodes in levels])
    scaled = np.concatenate(vectors) / np.maximum(width[source], width[target])[:, None]
    ratio = np.log2(width[target] / width[source])
    attributes = np.stack([*scaled.T, np.hypot(*scaled.T), ratio, np.concatenate(joins)], axis=1)
    order = np.lexsort((source, target))
    return np.stack([source[order], target[order]]), attributes[order].astype(np.float32)
