"""Bodies bounded by closed lines of straight edges: the exact distance to thousands of edges at the cost of dozens.

Edges are gathered into chains. If the vertices of a chain from A to B lie within e of the chord AB, all of the chain
does (the distance to a chord is largest at a vertex) and all of the chord lies within e of the chain (which passes
beside every point of it). So the distances to the two differ by e at most, and the nearest edge is in a chain with

    distance to its chord - e  <=  min over chains (distance to the chord + e).

Only the edges of these chains are searched, one or two chains per point. The winding number of the chords is corrected
by the same chains: a point farther than e from a chord is outside a convex set that holds it and its chain, so both
wind alike about it.

Sums of two terms are written out: the distance of a point is the same to the last bit whatever points stand beside it.
Units: the size of the shape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lbmgen.obstacles.shape import Shape
from runkit.arrays import F64, Array

CHUNK = 2**15  # points times chords at a time: temporary arrays stay in cache


class Outline(Shape):
    """What closed loops of vertices [n, 2] surround; a hole is a loop that runs against the one around it."""

    def __init__(self, *loops: F64) -> None:
        n_edges = sum(map(len, loops))
        length = max(1, round(np.sqrt(n_edges / 2)))
        chains = np.concatenate([_chains(loop, length) for loop in loops])
        self._chords, self._edges = _edges(chains[:, 0], chains[:, -1]), _edges(chains[:, :-1], chains[:, 1:])
        self._vertices = np.concatenate(loops)
        self.radius = float(np.linalg.norm(self._vertices, axis=1).max())
        deviation, _ = _distance_and_winding(self._chords[..., None], *np.moveaxis(chains, -1, 0))
        self._slack = np.sqrt(deviation.max(axis=1)) + 1e-14 * self.radius

    def distance(self, points: F64) -> F64:
        x, y = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
        n_pieces = 1 + x.size * self._slack.size // CHUNK
        pieces = zip(np.array_split(x.ravel(), n_pieces), np.array_split(y.ravel(), n_pieces), strict=True)
        return np.concatenate([self._distance(*piece) for piece in pieces]).reshape(x.shape)

    def support(self, direction: F64) -> float:
        return float((self._vertices * direction).sum(axis=1).max())

    def surface(self, spacing: float) -> F64:
        x, y, along_x, along_y, length, _ = self._edges.reshape(6, -1)
        count = np.ceil(length / spacing).astype(int)
        edge = np.repeat(np.arange(len(count)), count)
        step = (np.arange(len(edge)) - np.repeat(count.cumsum() - count, count)) * length[edge] / count[edge]
        return np.stack([x[edge] + step * along_x[edge], y[edge] + step * along_y[edge]], axis=-1)

    def _distance(self, x: F64, y: F64) -> F64:
        if not x.size:
            return x
        squared, turn = _distance_and_winding(self._chords, x[:, None], y[:, None])
        chord = np.sqrt(squared)
        point, chain = np.nonzero(chord - self._slack <= (chord + self._slack).min(axis=1, keepdims=True))
        squared, turn_of_chain = _distance_and_winding(self._edges[:, chain], x[point, None], y[point, None])
        first = np.searchsorted(point, np.arange(len(x)))
        distance = np.sqrt(np.minimum.reduceat(squared.min(axis=1), first))
        correction = np.add.reduceat(turn_of_chain.sum(axis=1) - turn[point, chain], first)
        return np.where(turn.sum(axis=1) + correction != 0, -distance, distance)


def sampled(curve: Callable[[Array], Array], tolerance: float = 1e-6) -> F64:
    """Points [n, 2] of curve(t), 0 <= t <= 1, so dense where it bends that no chord is farther than `tolerance` off."""
    t = np.linspace(0, 1, 65)
    while True:
        points, step = curve(t), np.diff(t)
        edges = _edges(points[:-1], points[1:])
        between = [curve(t[:-1] + part * step) for part in (0.25, 0.5, 0.75)]
        deviation = np.max([_distance_and_winding(edges, *point.T)[0] for point in between], axis=0)
        if deviation.max() <= tolerance**2:
            return points
        t = np.sort(np.concatenate([t, (t[:-1] + 0.5 * step)[deviation > tolerance**2]]))


def _chains(loop: Array, length: int) -> F64:
    """Vertices [chain, length + 1, 2] of the chains of a loop; the last one repeats its end, in empty edges."""
    index = np.arange(0, len(loop), length)[:, None] + np.arange(length + 1)
    found: F64 = loop[np.minimum(index, len(loop)) % len(loop)]
    return found


def _edges(start: F64, end: F64) -> F64:
    """x, y of the start, unit vector, length and y of the end [6, ...] of edges between points [..., 2]."""
    edge = end - start
    length = np.linalg.norm(edge, axis=-1)
    along = np.where(length[..., None] > 0, edge / np.where(length > 0, length, 1)[..., None], [1.0, 0.0])
    return np.stack([start[..., 0], start[..., 1], along[..., 0], along[..., 1], length, end[..., 1]])


def _distance_and_winding(edges: F64, x: F64, y: F64) -> tuple[F64, F64]:
    """Squared distance, and how often (-1, 0, 1) the edge crosses the ray from the point along +x, upwards being 1."""
    start_x, start_y, along_x, along_y, length, end_y = edges
    dx, dy = x - start_x, y - start_y
    along, left = dx * along_x + dy * along_y, dy * along_x - dx * along_y
    beyond = along - np.clip(along, 0, length)
    rise = np.less_equal(start_y, y).view(np.int8) - np.less_equal(end_y, y).view(np.int8)
    return left * left + beyond * beyond, rise * (rise * left > 0)
