"""Units of work in groups that advance together, and in time: blocks of steps, each followed by a checkpoint if due.

A checkpoint holds position, velocity and thermostat of one replica in full precision; a trajectory is a function of
these alone (see `mdgen.dynamics`), so a resumed one repeats an uninterrupted one bit by bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np

from mdgen.config import RunConfig
from mdgen.dynamics import Dynamics
from mdgen.groups import GroupSize, Unit, form_groups
from mdgen.potentials.pair import PairPotential
from mdgen.schedule import Block, Schedule
from mdgen.snapshot import Snapshot
from runkit.arrays import Array
from runkit.dataset.scratch import Arrays, fault_in
from runkit.dataset.writer import Writer
from runkit.device import Gpu
from runkit.mpi import World
from runkit.stop import Stop, Stopped

Written = Callable[[int, int], Array]


class Run(NamedTuple):
    """Resources that all stages share; `device` is the GPU of this rank, or None."""

    config: RunConfig
    potential: PairPotential
    file: Writer
    world: World
    device: Gpu | None
    stop: Stop

    def go_through(self, *stages: Callable[[Run], None]) -> bool:
        """Run one stage after another, each begun when all ranks have finished the last; whether all are done.

        Collective. A stage raises Stopped where it leaves its work because the run has to end.
        """
        for stage in stages:
            with suppress(Stopped):  # by this rank alone: `meet` finds out whether all are to end
                stage(self)
            if self.stop.meet():
                return False
            self.file.sync()
        return True

    def groups(
        self, units: list[Unit], place: Callable[[Unit], str], kind: Callable[[Unit], int], size: GroupSize
    ) -> list[list[Unit]]:
        """This rank's share of `units`, in groups that advance together; collective.

        Those of a group stand at the same time: a unit rests at `place`. On the CPU they also are of one `kind`, and
        groups of the given `size`; on a GPU there are up to `replicas_per_gpu`.
        """
        if self.device is not None:
            kind, size = (lambda _: 0), GroupSize(1, self.config.replicas_per_gpu)
        lists = self.world.on_root(self._in_step, units, place, kind)
        return form_groups(lists, size, self.world.size)[self.world.rank]

    def steps_left(self, groups: list[list[Unit]], place: Callable[[Unit], str], blocks: Schedule) -> int:
        """Steps that the units of these groups still have to go, from where they rest (not collective)."""
        return sum(len(group) * blocks.steps_after(blocks_done(self.file, place(group[0]))) for group in groups)

    def _in_step(
        self, units: list[Unit], place: Callable[[Unit], str], kind: Callable[[Unit], int]
    ) -> list[list[Unit]]:
        """Units of one kind that stand at the same time."""
        state = {unit: (kind(unit), blocks_done(self.file, place(unit))) for unit in units}
        in_order = sorted(units, key=lambda unit: (state[unit], unit))
        return [list(same) for _, same in groupby(in_order, key=state.__getitem__)]


class Checkpoint:
    """Checkpoints of replicas that advance together, a file of these names for each, in a folder beside `file`.

    Written at most every `period` seconds. `written(k, n_blocks)` gives checksums of what replica k has written into
    the file by then and will not write again; a checkpoint with other checksums counts as damaged.
    """

    def __init__(self, file: Writer, names: Sequence[str], period: float, written: Written | None = None):
        self._file, self._names, self._period = file, names, period
        self._written = written
        self._last = time.monotonic()
        self._n_saved = 0

    def resume(self, dynamics: Dynamics, n_blocks: int) -> int:
        """Restore `dynamics` from the checkpoints and return how many of `n_blocks` are done; 0 if there are none.

        All replicas start anew if the checkpoint of one is damaged.
        """
        one = {name: values[0] for name, values in self._state(dynamics).items()}
        saved = [
            self._file.scratch.load(name, partial(self._fault, k, one, n_blocks)) for k, name in enumerate(self._names)
        ]
        whole = [one for one in saved if one is not None]
        done = {int(one.pop("n_blocks")) for one in whole}
        if len(whole) < len(saved) or len(done) != 1:
            return 0
        dynamics.restore(np.stack([s.pop("position") for s in whole]), np.stack([s.pop("velocity") for s in whole]))
        if dynamics.thermostat:
            dynamics.thermostat.restore({key: np.stack([s[key] for s in whole]) for key in whole[0]})
        self._n_saved = done.pop()
        return self._n_saved

    def _fault(self, k: int, one: Arrays, n_blocks: int, arrays: Arrays) -> str:
        """The fault of the checkpoint of replica k, whose state has the arrays of `one`; "" if it is sound."""
        sums = arrays.pop("written", None) if self._written is not None else None
        if message := fault_in(arrays, one, {"n_blocks": n_blocks}):
            return message
        if self._written is None:
            return ""
        is_same = sums is not None and np.array_equal(sums, self._written(k, int(arrays["n_blocks"])))
        return "" if is_same else "what it goes on from in the file was changed"

    @property
    def is_due(self) -> bool:
        """Whether the last save is no longer recent."""
        return time.monotonic() - self._last >= self._period

    def save(self, dynamics: Dynamics, n_blocks: int) -> int:
        """Save the state after `n_blocks` blocks, not that of replicas that blew up; how many were not saved before."""
        self._file.to_disk()  # the snapshots that a resumed trajectory will not repeat
        state = self._state(dynamics)
        for k, name in enumerate(self._names):
            if np.isfinite(state["position"][k]).all():
                own = {key: values[k] for key, values in state.items()}
                if self._written is not None:
                    own["written"] = self._written(k, n_blocks)
                self._file.scratch.save(name, n_blocks=np.array(n_blocks), **own)
        self._last = time.monotonic()
        n_before, self._n_saved = self._n_saved, n_blocks
        return n_blocks - n_before

    def discard(self) -> None:
        """Remove what was saved: the unit is complete."""
        for name in self._names:
            self._file.scratch.discard(name)

    @staticmethod
    def _state(dynamics: Dynamics) -> dict[str, Array]:
        """The arrays that determine how replicas go on, with the replicas along the first axis."""
        state = dynamics.thermostat.state() if dynamics.thermostat else {}
        return {"position": dynamics.position, "velocity": dynamics.velocity, **state}


def blocks_done(file: Writer, name: str) -> int:
    """Number of blocks done according to the checkpoint of this name; 0 if there is none, or a damaged one."""
    like = np.zeros(file.shape("initial_position")[1:])

    def fault(arrays: Arrays) -> str:
        own = {key: values for key, values in arrays.items() if key in ("position", "velocity", "n_blocks")}
        return fault_in(own, {"position": like, "velocity": like}, {"n_blocks": 2**62})

    saved = file.scratch.load(name, fault)
    return int(saved["n_blocks"]) if saved else 0


def advance(
    dynamics: Dynamics, blocks: Schedule, checkpoint: Checkpoint, stop: Stop
) -> Iterator[tuple[Block, Snapshot]]:
    """Run `blocks` from `checkpoint` on; yield each with the snapshot at its end, for the caller to check and write.

    A GPU computes the next block meanwhile, unless a checkpoint is due, which must follow what the caller writes.
    Raises Stopped after a checkpoint if the run is to end.
    """
    reached, first = None, checkpoint.resume(dynamics, len(blocks))
    for i_block in range(first, len(blocks)):
        began, block = time.monotonic(), blocks[i_block]
        if block.temperature is not None:
            assert dynamics.thermostat is not None  # only what is coupled is cooled
            dynamics.thermostat.temperature = block.temperature
        dynamics.begin(block.n_steps, dt=block.dt)
        if reached:
            yield reached
        dynamics.finish()
        reached = block, dynamics.snapshot()
        is_over = stop.is_wanted(time.monotonic() - began)
        if is_over:
            stop.arrive()
        if is_over or checkpoint.is_due:
            yield reached
            reached = None
            stop.keep(checkpoint.save(dynamics, i_block + 1))
        if is_over:
            raise Stopped
    if reached:
        yield reached
