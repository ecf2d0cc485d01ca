"""A trial of messages between GPUs: `python -m runkit.trial INDEX` sends some to itself on GPU number INDEX.

Run in a process of its own by `runkit/mpi/direct.py`, since a library that takes a device's address for the host's may
crash.
"""

from __future__ import annotations

import sys

from runkit.device import Gpu
from runkit.mpi import MpiWorld
from runkit.mpi.echo import wrong


def main(gpu: Gpu) -> None:
    """Send to oneself, and end with what is wrong."""
    sys.exit(wrong(MpiWorld.alone(), gpu) or 0)


if __name__ == "__main__":
    main(Gpu(int(sys.argv[1])))
