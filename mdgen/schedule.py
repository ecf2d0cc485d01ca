"""How a trajectory is cut into steps: snapshots fall exactly on their times, checkpoints on fixed steps.

Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

BLOCK_STEPS = 1000  # steps between looks at health, progress and checkpoint


@dataclass(frozen=True)
class Block:
    """Steps of equal length, at `temperature` if there is a thermostat; `snapshot` is the index of the time reached."""

    n_steps: int
    dt: float
    temperature: float | None = None
    snapshot: int | None = None


def production_blocks(times: Sequence[float], dt: float) -> list[Block]:
    """Blocks that reach every one of `times` with steps no longer than `dt`."""
    blocks: list[Block] = []
    for i_time, (start, stop) in enumerate(pairwise((0.0, *times))):
        n_steps = math.ceil((stop - start) / dt - 1e-9)
        step = (stop - start) / n_steps
        *inner, last = _pieces(n_steps)
        blocks += [Block(n, step) for n in inner] + [Block(last, step, snapshot=i_time)]
    return blocks


def cooling_blocks(initial, temperature: float, dt: float) -> list[Block]:
    """Blocks of melt, linear ramp and hold. `initial` is the `Initial` part of the configuration."""
    n_melt, n_ramp, n_hold = (
        round(time / dt) for time in (initial.melt_time, initial.cooling_time, initial.hold_time)
    )
    blocks = [Block(n, dt, initial.temperature) for n in _pieces(n_melt)]
    ramp = list(_pieces(n_ramp, BLOCK_STEPS // 10))
    for i, n in enumerate(ramp):
        fraction = (i + 1) / len(ramp)
        blocks.append(Block(n, dt, initial.temperature + fraction * (temperature - initial.temperature)))
    return blocks + [Block(n, dt, temperature) for n in _pieces(n_hold)]


def _pieces(n_steps: int, length: int = BLOCK_STEPS) -> Iterator[int]:
    for done in range(0, n_steps, length):
        yield min(length, n_steps - done)
