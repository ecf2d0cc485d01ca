"""Knots: the temperatures and times at which a network learns, and the interpolation between them.

Between two times of a temperature the answers are linear in log t, between two temperatures linear in 1/T. There each
temperature answers for the time at which particles have moved as far: a warm liquid does soon what a cold one does
late. Outside the temperatures, and outside the times of one of them, the nearest answers.

Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runkit.arrays import F64
from runkit.errors import UserError

SAME = 1e-6  # relative difference up to which two times, or temperatures, are one


@dataclass(frozen=True)
class Knots:
    """Ascending `temperatures`, each with its ascending `times`; a knot is a temperature with one of its times.

    Knots are numbered temperature by temperature. `mobility` is the logarithm of how far particles have moved at each
    time, as `times`; without it temperatures answer for the same time.
    """

    temperatures: tuple[float, ...]
    times: tuple[tuple[float, ...], ...]
    mobility: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of(cls, found: Iterable[tuple[float, Sequence[float]]]) -> Knots:
        """Of the temperature and the times of each file; what files share is one knot."""
        rows: dict[float, list[float]] = {}
        for temperature, times in found:
            own = next((one for one in rows if math.isclose(one, temperature, rel_tol=SAME)), temperature)
            rows.setdefault(own, []).extend(times)
        return cls(tuple(sorted(rows)), tuple(_distinct(rows[one]) for one in sorted(rows)))

    @classmethod
    def from_system(cls, told: Mapping[str, object]) -> Knots:
        """From what the weights of a network tell (`GlassTimes.system`)."""
        temperatures, times, mobility = (told.get(f"knot_{name}", ()) for name in ("temperatures", "times", "mobility"))
        return cls(tuple(temperatures), tuple(map(tuple, times)), tuple(map(tuple, mobility)))  # type: ignore[arg-type, call-overload]

    def __len__(self) -> int:
        return sum(map(len, self.times))

    def number(self, time: float, temperature: float) -> int:
        """The number of the knot that is there."""
        row = int(np.argmin([abs(one - temperature) for one in self.temperatures]))
        column = int(np.argmin([abs(math.log(one / time)) for one in self.times[row]]))
        return sum(map(len, self.times[:row])) + column

    @property
    def span(self) -> tuple[float, float]:
        """The earliest and the latest of all times."""
        return min(row[0] for row in self.times), max(row[-1] for row in self.times)

    def covers(self, time: float) -> bool:
        """Whether a time lies within them."""
        earliest, latest = self.span
        return earliest * (1 - SAME) <= time <= latest * (1 + SAME)

    def weights(self, time: float, temperature: float) -> F64:
        """Weights [n_knots] of the answers at all knots, with a sum of 1; UserError for a time outside all of them."""
        if not self.covers(time):
            earliest, latest = self.span
            raise UserError(f"time = {time:g}: the network has learnt times from {earliest:g} to {latest:g}")
        inverse = [1 / one for one in self.temperatures[::-1]]
        shares = between(inverse, 1 / temperature)[::-1]
        asked = self._as_mobile(math.log(time), shares)
        each = [share * between(np.log(row), one) for share, row, one in zip(shares, self.times, asked, strict=True)]
        found: F64 = np.concatenate(each)
        return found

    def _as_mobile(self, log_time: float, shares: F64) -> F64:
        """The logarithms of the times [n_temperatures] that each temperature answers for, for one between two.

        Two times belong together at which particles have moved as far; in between these are interpolated as answers
        are. Before the first such pair their ratio falls to 1, which it is at the shortest time of all: there particles
        fly freely and rattle, in much the same time when warm and cold. After the last it stays as it is.
        """
        asked, rows = np.full(len(shares), log_time), np.flatnonzero(shares)
        if len(rows) < 2 or not self.mobility:
            return asked
        moved = [np.maximum.accumulate(self.mobility[row]) for row in rows]
        lowest, highest = max(one[0] for one in moved), min(one[-1] for one in moved)
        both = np.unique([one for one in np.concatenate(moved) if lowest <= one <= highest])
        if len(both):
            alike = np.array(
                [np.interp(both, one, np.log(self.times[row])) for one, row in zip(moved, rows, strict=True)]
            )
            alike = np.insert(alike, 0, math.log(self.span[0]), axis=1)
            between_them = shares[rows] @ alike
            asked[rows] += [np.interp(log_time, between_them, ratio) for ratio in alike - between_them]
        return asked


def between(places: Sequence[float] | F64, at: float) -> F64:
    """Weights [n] of values at ascending places in their linear interpolation at one place; the end's own outside."""
    return np.array([np.interp(at, places, row) for row in np.eye(len(places))])


def _distinct(times: Sequence[float]) -> tuple[float, ...]:
    """Ascending times, equal ones once."""
    found: list[float] = []
    for time in sorted(times):
        if not found or not math.isclose(found[-1], time, rel_tol=SAME):
            found.append(time)
    return tuple(found)
