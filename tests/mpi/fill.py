"""Fills the tiny file on all ranks: fill.py PATH DRIVER [RANK:DONE …]; a named rank kills itself after DONE units.

It does so when data of the next unit are half written and wrong, and its flag is not set.
"""

from __future__ import annotations

import os
import signal
import sys

import numpy as np

from runkit.dataset.writer import Writer
from runkit.log import say
from runkit.mpi import World, launch
from tests.ensemble import Unit, fill, open_writer


def main(world: World, path: str, driver: str, *deaths: str) -> None:
    """Fill and seal; with `deaths`, die instead."""
    dies_after = {int(rank): int(done) for rank, done in (death.split(":") for death in deaths)}.get(world.rank)
    writer = open_writer(path, world, driver=driver)
    say(world, f"{writer.state}, {writer.method}")
    if writer.finished:
        return

    def die_in_time(done: int, stage: str, unit: Unit) -> None:
        if done == dies_after:
            _spoil(writer, stage, unit)
            os.kill(os.getpid(), signal.SIGKILL)

    fill(writer, world, die_in_time)
    writer.seal()


def _spoil(writer: Writer, stage: str, unit: Unit) -> None:
    """Overwrite part of what belongs to a unit."""
    if stage == "equilibrated":
        writer.write("initial_position", (*unit, slice(0, 3)), np.full((3, 3), np.nan))
    elif stage == "propagated":
        writer.write("position", (unit[0], 1, unit[1], slice(2, 5)), np.full((3, 3), np.inf))
    else:
        writer.write("propensity", (*unit, 1), np.full(8, -1.0))


if __name__ == "__main__":
    launch(main, *sys.argv[1:])
