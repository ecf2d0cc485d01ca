"""A unit of work in time: blocks of steps, each followed by a look at its health and, when due, a checkpoint.

A checkpoint holds position, velocity and thermostat of one replica in full precision; a trajectory is a function of
these alone (see `mdgen.dynamics`), so a resumed one repeats an uninterrupted one bit by bit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.schedule import Block
from runkit.checkpoint import load_arrays, save_arrays
from runkit.dataset.writer import Writer


class Failed(Exception):
    """A trajectory that cannot be continued, with its replica (counted within the unit) and the reason."""

    def __init__(self, replica: int, reason: str):
        super().__init__(reason)
        self.replica = replica
        self.reason = reason


class Checkpoint:
    """Where the replicas that advance together rest, one file each, written at most every `period` seconds."""

    def __init__(self, paths: Sequence[Path], period: float):
        self._paths = paths
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
        """Save the state after `n_blocks` blocks, unless the last save is recent."""
        if time.monotonic() - self._last < self._period:
            return
        thermostat = dynamics.thermostat.state() if dynamics.thermostat else {}
        position, velocity = dynamics.position, dynamics.velocity
        for k, path in enumerate(self._paths):
            state = {key: values[k] for key, values in thermostat.items()}
            path.parent.mkdir(exist_ok=True)
            save_arrays(path, n_blocks=np.array(n_blocks), position=position[k], velocity=velocity[k], **state)
        self._last = time.monotonic()

    def discard(self) -> None:
        """Remove what was saved: the unit is complete."""
        for path in self._paths:
            path.unlink(missing_ok=True)


def scratch(file: Writer) -> Path:
    """The folder of checkpoints beside an unfinished file."""
    return file.path.with_name(file.path.name + ".checkpoints")


def record_failure(file: Writer, sample: int, reason: str) -> None:
    """Write into the file why a sample has failed; the others go on."""
    file.write("failure", (sample,), np.bytes_(reason.encode()[:160]))


def blocks_done(path: Path) -> int:
    """Number of blocks that the checkpoint at `path` is past; 0 if there is none."""
    return int(load_arrays(path)["n_blocks"]) if path.exists() else 0


def advance(dynamics: Dynamics, blocks: Sequence[Block], checkpoint: Checkpoint) -> Iterator[Block]:
    """Run `blocks` from where `checkpoint` stands and yield each when it is done; the caller writes its snapshot then.

    Raises `Failed` when the state of a replica is no longer finite.
    """
    first = checkpoint.resume(dynamics)
    for i_block, block in enumerate(blocks[first:], start=first):
        if block.temperature is not None:
            dynamics.thermostat.temperature = block.temperature
        dynamics.step(block.n_steps, dt=block.dt)
        lost = dynamics.blown_up()
        if len(lost):
            raise Failed(int(lost[0]), f"position or velocity is not finite after block {i_block + 1} of {len(blocks)}")
        yield block
        checkpoint.save_if_due(dynamics, i_block + 1)
