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

from runkit.arrays import F64, Ints
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
        """From what the weights of a network tell (`GlassTimes.system`); UserError if these are no knots.

        Mobility may be missing: weights of earlier versions do not tell it.
        """
        temperatures, times, mobility = (
            told.get(f"knot_{name}") or () for name in ("temperatures", "times", "mobility")
        )
        found = cls(tuple(temperatures), tuple(map(tuple, times)), tuple(map(tuple, mobility)))  # type: ignore[arg-type, call-overload]
        lengths, n_moved = [len(row) for row in found.times], [len(row) for row in found.mobility]
        if not lengths or not all(lengths) or len(lengths) != len(found.temperatures) or n_moved not in ([], lengths):
            keys = "knot_temperatures, knot_times, knot_mobility"
            raise UserError(f"the weights do not tell what the network has learnt ({keys}); train it again")
        return found

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
        return within(time, self.span)

    def require(self, time: float, key: str = "time") -> None:
        """Raise UserError, which names a key, for a time outside all of them."""
        if not self.covers(time):
            raise UserError(f"{key} = {time:g}: the network has learnt times from {in_words(self.span)}")

    def weights(self, time: float, temperature: float) -> F64:
        """Weights [n_knots] of the answers at all knots, with a sum of 1; UserError for a time outside all of them."""
        self.require(time)
        shares = self._shares(temperature)
        asked = self._as_mobile(math.log(time), shares)
        each = [share * between(np.log(row), one) for share, row, one in zip(shares, self.times, asked, strict=True)]
        found: F64 = np.concatenate(each)
        return found

    def replaced(self, times: Sequence[float], temperature: float) -> list[str]:
        """What stands in for answers that were not learnt, in words, a line each; none where all are interpolated.

        Raises UserError for a time outside all.
        """
        for time in times:
            self.require(time)
        shares = self._shares(temperature)
        rows, found = np.flatnonzero(shares), []
        if len(rows) > 1 and self.mobility and not self._alike(rows).size:
            both = " and ".join(f"{self.temperatures[row]:g}" for row in rows)
            told = "at no times that were learnt have particles moved as far at both"
            found.append(f"T = {both}: {told}; they answer for the same time")
        asked = np.exp([self._as_mobile(math.log(time), shares) for time in times])
        for row in rows:
            beyond = [f"{one:g}" for one in asked[:, row] if not within(one, self.times[row])]
            if beyond:
                told = f"T = {self.temperatures[row]:g}: t = {in_words(self.times[row])} was learnt"
                found.append(f"{told}; the nearest of it answers for t = {', '.join(beyond)}")
        return found

    def _shares(self, temperature: float) -> F64:
        """The shares [n_temperatures] of what each temperature answers."""
        inverse = [1 / one for one in self.temperatures[::-1]]
        return between(inverse, 1 / temperature)[::-1]

    def _as_mobile(self, log_time: float, shares: F64) -> F64:
        """The logarithms of the times [n_temperatures] that each temperature answers for, for one between two.

        Two times belong together at which particles have moved as far; in between these are interpolated as answers
        are. Before the first such pair their ratio falls to 1, which it is at the shortest time of all: there particles
        fly freely and rattle, in much the same time when warm and cold. After the last it stays as it is. Without any
        pair, or where mobility is not known, both answer for the same time.
        """
        asked, rows = np.full(len(shares), log_time), np.flatnonzero(shares)
        if len(rows) < 2 or not self.mobility:
            return asked
        alike = self._alike(rows)
        if alike.size:
            alike = np.insert(alike, 0, math.log(self.span[0]), axis=1)
            between_them = shares[rows] @ alike
            asked[rows] += [np.interp(log_time, between_them, ratio) for ratio in alike - between_them]
        return asked

    def _alike(self, rows: Ints) -> F64:
        """The logarithms of the times [n_rows, n] at which particles have moved as far at each of these temperatures;
        n = 0 where they never have."""
        moved = [np.maximum.accumulate(self.mobility[row]) for row in rows]
        lowest, highest = max(one[0] for one in moved), min(one[-1] for one in moved)
        both = np.unique([one for one in np.concatenate(moved) if lowest <= one <= highest])
        return np.array([np.interp(both, one, np.log(self.times[row])) for one, row in zip(moved, rows, strict=True)])


def between(places: Sequence[float] | F64, at: float) -> F64:
    """Weights [n] of values at ascending places in their linear interpolation at one place; the end's own outside."""
    return np.array([np.interp(at, places, row) for row in np.eye(len(places))])


def within(value: float, ascending: Sequence[float]) -> bool:
    """Whether a value lies between the first and the last of some."""
    return ascending[0] * (1 - SAME) <= value <= ascending[-1] * (1 + SAME)


def in_words(ascending: Sequence[float]) -> str:
    """The first and the last of some."""
    first, last = f"{ascending[0]:g}", f"{ascending[-1]:g}"
    return first if first == last else f"{first} to {last}"


def _distinct(times: Sequence[float]) -> tuple[float, ...]:
    """Ascending times, equal ones once."""
    found: list[float] = []
    for time in sorted(times):
        if not found or not math.isclose(found[-1], time, rel_tol=SAME):
            found.append(time)
    return tuple(found)
