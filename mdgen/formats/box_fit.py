"""Whether particles fit a cubic box that their file does not tell.

In the right box a pair of faces, where the particles meet their own images, is a cross-section like any other. In a box
that is too small particles overlap there, in one that is too large a gap is left. Each cross-section is measured by the
pairs of neighbours on either side of it, close ones counting most; the root of that at the faces, less its mean over
cross-sections within, is given in standard deviations of these (the root, since that of a number of events deviates by
1/2 whatever the number).

Of 66 liquids and inherent structures of 160 to 4096 particles of the Kob-Andersen mixture none was farther from 0 than
2.9 in the box that it came from, of 55 ideal gases and crystals of 64 to 500 particles none than 3.0. An edge 1 % too
long gave -2.8 (160 particles), -4.0 (300), -8.9 (1000) and -20.4 (4096) on average, one too short as much above 0.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from runkit.arrays import F64

MOST = 6.0  # standard deviations that a box may be off
OUTSIDE = 0.4  # of the spacing: particles leave the box by so much before a program wraps them again
_REACH = 1.6  # of the spacing: the first shell of neighbours
_POWER = 6  # of the inverse distance, by which a pair counts
_NEAREST = 0.5  # of the spacing: pairs that are nearer count no more than at this distance
_LONGEST = 1.5  # of the span of the particles: no longer edge fits
_PLANES = 32  # cross-sections within, along each axis


class BoxFit:
    """The faces of cubes of about `edge` around the middle of `position` [n, 3]."""

    def __init__(self, position: F64, edge: float) -> None:
        from scipy.spatial import cKDTree  # reading alone does not wait for it

        self._tree = cKDTree
        span = float(np.ptp(position, axis=0).max())
        self._spacing = min(edge, _LONGEST * span) / len(position) ** (1 / 3)  # else all would be neighbours of all
        self._place = position - (position.max(axis=0) + position.min(axis=0)) / 2
        within = np.sqrt(list(self._cross_sections()))
        self.is_known = bool(len(within) and within.all())  # not for a handful of particles
        if self.is_known:
            # At least that of independent events: few cross-sections, or those of a crystal, may show less.
            self._mean, self._spread = float(within.mean()), max(float(within.std()), 0.5)

    def misfit(self, edge: float) -> float:
        """How far the faces of a cube of this edge are from other cross-sections; positive: it is too small."""
        reach, place = _REACH * self._spacing, self._place - np.rint(self._place / edge) * edge
        total = 0.0
        for axis in range(3):
            high = self._tree(place[place[:, axis] > edge / 2 - reach])
            low = self._tree(place[place[:, axis] < reach - edge / 2] + edge * np.eye(3)[axis])
            found = self._count(high.sparse_distance_matrix(low, reach, output_type="coo_matrix").data)
            total += float(found.sum()) ** 0.5 - self._mean
        return total / (self._spread * 3**0.5)

    def fitting(self) -> float | None:
        """The edge of the cube that fits best, if one does that is not half as long again as the particles span."""
        if not self.is_known:
            return None
        low = float(np.ptp(self._place, axis=0).max()) - OUTSIDE * self._spacing
        high = _LONGEST * low
        if not self.misfit(low) > 0 > self.misfit(high):
            return None
        while high - low > 1e-4 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self.misfit(middle) > 0 else (low, middle)
        return low if abs(self.misfit(low)) < MOST else None

    def _count(self, distance: F64) -> F64:
        """By how much pairs at these distances count."""
        counted: F64 = np.maximum(distance / self._spacing, _NEAREST) ** -_POWER
        return counted

    def _cross_sections(self) -> Iterator[float]:
        """The counts of all cross-sections that have at least one spacing of particles on either side."""
        pairs = self._tree(self._place).query_pairs(_REACH * self._spacing, output_type="ndarray")
        count = self._count(np.linalg.norm(self._place[pairs[:, 0]] - self._place[pairs[:, 1]], axis=1))
        for axis, span in enumerate(np.ptp(self._place, axis=0)):
            below, above = np.sort(self._place[pairs, axis], axis=1).T
            depth = span / 2 - self._spacing
            for plane in np.linspace(-depth, depth, _PLANES) if depth > 0 else ():
                yield float(count[(below < plane) & (above >= plane)].sum())
