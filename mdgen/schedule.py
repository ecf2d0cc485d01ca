"""How a trajectory is cut into steps: snapshots fall exactly on their times, checkpoints on fixed steps.

A schedule is computed, not listed: its blocks, their number and their steps are found without making all of them, so
that a plan of 10^10 steps takes no time.
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from mdgen.config import Initial

BLOCK_STEPS = 1000  # steps between checks of health, progress and checkpoint
RAMP_STRETCHES = 100_000  # most temperatures of a ramp


@dataclass(frozen=True)
class Block:
    """Steps of equal length, at `temperature` if there is a thermostat; `snapshot` is the index of the time reached."""

    n_steps: int
    dt: float
    temperature: float | None = None
    snapshot: int | None = None


class Schedule:
    """Stretches of equal steps, each cut into blocks of at most BLOCK_STEPS; a snapshot ends the last of a stretch."""

    def __init__(self, stretches: Sequence[Block] = ()) -> None:
        self._stretches = [stretch for stretch in stretches if stretch.n_steps]
        lengths = [math.ceil(stretch.n_steps / BLOCK_STEPS) for stretch in self._stretches]
        self._first = [0, *accumulate(lengths)]  # number of the first block of each stretch, and of all blocks

    def __len__(self) -> int:
        return self._first[-1]

    def __getitem__(self, number: int) -> Block:
        if not 0 <= number < len(self):
            raise IndexError(number)
        which = bisect_right(self._first, number) - 1
        stretch, done = self._stretches[which], (number - self._first[which]) * BLOCK_STEPS
        is_last = number + 1 == self._first[which + 1]
        n_steps = min(BLOCK_STEPS, stretch.n_steps - done)
        return replace(stretch, n_steps=n_steps, snapshot=stretch.snapshot if is_last else None)

    def __iter__(self) -> Iterator[Block]:
        return map(self.__getitem__, range(len(self)))

    def steps_after(self, n_blocks: int = 0) -> int:
        """Steps of all blocks but the first `n_blocks`."""
        which = bisect_right(self._first, n_blocks) - 1
        rest = sum(stretch.n_steps for stretch in self._stretches[which:])
        return rest - (n_blocks - self._first[which]) * BLOCK_STEPS if rest else 0

    def snapshots_in(self, n_blocks: int) -> int:
        """Snapshots that the first `n_blocks` blocks reach."""
        ends = zip(self._stretches, self._first[1:], strict=True)
        return sum(end <= n_blocks for stretch, end in ends if stretch.snapshot is not None)


def production_blocks(times: Sequence[float], dt: float) -> Schedule:
    """Blocks that reach every one of `times` with steps no longer than `dt`."""
    stretches = []
    for i_time, (start, stop) in enumerate(pairwise((0.0, *times))):
        n_steps = max(1, math.ceil((stop - start) / dt - 1e-9))
        stretches.append(Block(n_steps, (stop - start) / n_steps, snapshot=i_time))
    return Schedule(stretches)


def cooling_blocks(initial: Initial, temperature: float, dt: float) -> Schedule:
    """Blocks of melt, linear ramp and hold. `initial` is the `Initial` part of the configuration."""
    n_melt, n_ramp, n_hold = (round(time / dt) for time in (initial.melt_time, initial.cooling_time, initial.hold_time))
    return Schedule(
        [
            Block(n_melt, dt, initial.temperature),
            *_ramp(n_ramp, dt, initial.temperature, temperature),
            Block(n_hold, dt, temperature),
        ]
    )


def _ramp(n_steps: int, dt: float, start: float, end: float) -> Iterator[Block]:
    """Short stretches, each at a temperature of its own; a long ramp has RAMP_STRETCHES of them."""
    length = max(BLOCK_STEPS // 10, math.ceil(n_steps / RAMP_STRETCHES))
    n_stretches = math.ceil(n_steps / length)
    for i in range(n_stretches):
        temperature = start + (i + 1) / n_stretches * (end - start)
        yield Block(min(length, n_steps - i * length), dt, temperature)
