"""Ranks that find out whether messages may be arrays of a GPU, behind a stand-in: run by test_runkit_direct.py.

The first word says what the process does that tries first: "right" sends arrays of the stand-in to itself by real
messages, others fail in ways of their own; with "ring" a rank itself then gets other bytes than were sent.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from runkit import trial as program
from runkit.log import say
from runkit.mpi import direct, launch
from tests.shim import StandIn


class Forgetful(StandIn):
    """What arrives is not what was sent."""

    def to_host(self, array, out=None):
        return super().to_host(array, out) * (len(array) < 1000)


def trial(way: str) -> None:
    """The process that tries."""
    if way == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if way == "hang":
        time.sleep(600)
    program.main(Forgetful() if way == "wrong" else StandIn())


def main(world) -> None:
    way = sys.argv[1]
    direct.says_cuda_aware = {"refused": lambda: False, "mute": lambda: None}.get(way, lambda: True)
    command = (sys.executable, __file__, way, "trial")
    gpu = Forgetful() if way == "ring" and world.is_root else StandIn()
    found = direct.takes_device_arrays(world, gpu, command, 2.0 if way == "hang" else 60.0)
    assert len(set(world.all_gather(found))) == 1
    say(world, str(found))


if __name__ == "__main__":
    if sys.argv[2:3] == ["trial"]:
        trial(sys.argv[1])
    else:
        launch(main)
