"""A unit of work in time: blocks of steps, each followed by a checkpoint when one is due.

A checkpoint holds position, velocity and thermostat of one replica in full precision; a trajectory is a function of
these alone (see `mdgen.dynamics`), so a resumed one repeats an uninterrupted one bit by bit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.schedule import Block
from runkit.checkpoint import load_arrays, save_arrays
from runkit.dataset.writer import Writer


class Checkpoint:
    """Where the replicas that advance together rest, one file of these names each, in a folder beside `file`.

    Written at most every `period` seconds.
    """

    def __init__(self, file: Writer, names: Sequence[str], period: float):
        self._file = file
        self._paths = [file.scratch / name for name in names]
        self._period = period
        self._last = time.monotonic()

    def resume(self, dynamics: Dynamics) -> int:
        """Put `dynamics` where it was saved and return the number of blocks done; 0 if nothing was saved."""
        if not all(path.exists() for path in self._paths):
            return 0
        saved = [load_arrays(path) for path in self._paths]
        dynamics.restore(np.stack([s.pop("position") for s in saved]), np.stack([s.pop("velocity") for s in saved]))
        n_blocks = {int(s.pop("n_blocks")) for s in saved}
        if dynamics.thermostat:
            dynamics.thermostat.restore({key: np.stack([s[key] for s in saved]) for key in saved[0]})
        return n_blocks.pop()

    def save_if_due(self, dynamics: Dynamics, n_blocks: int) -> None:
        """Save the state after `n_blocks` blocks, unless the last save is recent; not that of replicas that blew up."""
        if time.monotonic() - self._last < self._period:
            return
        self._file.to_disk()  # the snapshots that a resumed trajectory will not repeat
        thermostat = dynamics.thermostat.state() if dynamics.thermostat else {}
        position, velocity = dynamics.position, dynamics.velocity
        for k, path in enumerate(self._paths):
            if not np.isfinite(position[k]).all():
                continue
            state = {key: values[k] for key, values in thermostat.items()}
            path.parent.mkdir(exist_ok=True)
            save_arrays(path, n_blocks=np.array(n_blocks), position=position[k], velocity=velocity[k], **state)
        self._last = time.monotonic()

    def discard(self) -> None:
        """Remove what was saved: the unit is complete."""
        for path in self._paths:
            path.unlink(missing_ok=True)


def blocks_done(file: Writer, name: str) -> int:
    """Number of blocks that the checkpoint of this name is past; 0 if there is none."""
    path = file.scratch / name
    return int(load_arrays(path)["n_blocks"]) if path.exists() else 0


def advance(dynamics: Dynamics, blocks: Sequence[Block], checkpoint: Checkpoint) -> Iterator[Block]:
    """Run `blocks` from where `checkpoint` stands; yield each when it is done, for the caller to look and to write."""
    first = checkpoint.resume(dynamics)
    for i_block, block in enumerate(blocks[first:], start=first):
        if block.temperature is not None:
            dynamics.thermostat.temperature = block.temperature
        dynamics.step(block.n_steps, dt=block.dt)
        yield block
        checkpoint.save_if_due(dynamics, i_block + 1)
