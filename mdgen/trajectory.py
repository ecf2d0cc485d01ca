"""Units of work in groups that advance together, and in time: blocks of steps, each followed by a checkpoint if due.

A checkpoint holds position, velocity and thermostat of one replica in full precision; a trajectory is a function of
these alone (see `mdgen.dynamics`), so a resumed one repeats an uninterrupted one bit by bit.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from mdgen.config import Case
from mdgen.dynamics import Dynamics
from mdgen.groups import GroupSize, Unit, form_groups
from mdgen.potentials.pair import PairPotential
from mdgen.schedule import Block, Schedule
from mdgen.snapshot import Snapshot
from runkit.checkpoint import load_arrays, save_arrays
from runkit.dataset.writer import Writer
from runkit.device import Gpu
from runkit.mpi import World


class Run(NamedTuple):
    """What all stages work with; `device` is the GPU of this rank, or None."""

    case: Case
    potential: PairPotential
    file: Writer
    world: World
    device: Gpu | None

    def groups(self, units: list[Unit], place: Callable[[Unit], str], kind, size: GroupSize) -> list[list[Unit]]:
        """This rank's share of `units`, in groups that advance together; collective.

        Those of a group stand at the same time: a unit rests at `place`. On the CPU they also are of one `kind`, and
        groups of the given `size`; on a GPU there are up to `replicas_per_gpu`.
        """
        if self.device is not None:
            kind, size = (lambda _: 0), GroupSize(1, self.case.replicas_per_gpu)
        lists = self.world.on_root(self._in_step, units, place, kind)
        return form_groups(lists, size, self.world.size)[self.world.rank]

    def steps_left(self, groups: list[list[Unit]], place: Callable[[Unit], str], blocks: Schedule) -> int:
        """Steps that the units of these groups still have to go, from where they rest (not collective)."""
        return sum(len(group) * blocks.steps_after(blocks_done(self.file, place(group[0]))) for group in groups)

    def _in_step(self, units, place, kind) -> list[list]:
        """Units of one kind that stand at the same time."""
        state = {unit: (kind(unit), blocks_done(self.file, place(unit))) for unit in units}
        in_order = sorted(units, key=lambda unit: (state[unit], unit))
        return [list(same) for _, same in groupby(in_order, key=state.__getitem__)]


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
        """Put `dynamics` where it was saved and return the number of blocks done; 0 if nothing was saved.

        All start anew if the checkpoint of one is of another form: that of a thermostat may change between versions.
        """
        if not all(path.exists() for path in self._paths):
            return 0
        saved = [load_arrays(path) for path in self._paths]
        foreign = [path for path, one in zip(self._paths, saved, strict=True) if not _is_of(dynamics, one)]
        for path in foreign:
            tqdm.write(f"note: checkpoint {path} is of another version: its unit starts anew", file=sys.stdout)
            path.unlink()
        if foreign:
            return 0
        dynamics.restore(np.stack([s.pop("position") for s in saved]), np.stack([s.pop("velocity") for s in saved]))
        n_blocks = {int(s.pop("n_blocks")) for s in saved}
        if dynamics.thermostat:
            dynamics.thermostat.restore({key: np.stack([s[key] for s in saved]) for key in saved[0]})
        return n_blocks.pop()

    @property
    def is_due(self) -> bool:
        """Whether the last save is no longer recent."""
        return time.monotonic() - self._last >= self._period

    def save(self, dynamics: Dynamics, n_blocks: int) -> None:
        """Save the state after `n_blocks` blocks; not that of replicas that blew up."""
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


def _is_of(dynamics: Dynamics, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether a checkpoint has what `dynamics` has."""
    bath = dynamics.thermostat.state() if dynamics.thermostat else {}
    motion = (dynamics.n_particles, 3)
    wanted = {"n_blocks": (), "position": motion, "velocity": motion}
    wanted |= {name: values.shape[1:] for name, values in bath.items()}
    return {name: array.shape for name, array in arrays.items()} == wanted


def blocks_done(file: Writer, name: str) -> int:
    """Number of blocks that the checkpoint of this name is past; 0 if there is none."""
    path = file.scratch / name
    return int(load_arrays(path)["n_blocks"]) if path.exists() else 0


def advance(dynamics: Dynamics, blocks: Schedule, checkpoint: Checkpoint) -> Iterator[tuple[Block, Snapshot]]:
    """Run `blocks` from where `checkpoint` stands; yield each with what it has led to, for the caller to look and to
    write.

    A GPU goes on meanwhile; not if a checkpoint is due, which has to come after what the caller writes.
    """
    reached, first = None, checkpoint.resume(dynamics)
    for i_block in range(first, len(blocks)):
        block = blocks[i_block]
        if block.temperature is not None:
            dynamics.thermostat.temperature = block.temperature
        dynamics.begin(block.n_steps, dt=block.dt)
        if reached:
            yield reached
        dynamics.finish()
        reached = block, dynamics.snapshot()
        if checkpoint.is_due:
            yield reached
            reached = None
            checkpoint.save(dynamics, i_block + 1)
    if reached:
        yield reached
