"""The only package that uses mpi4py: ranks, shares of work, and an end of all ranks when one fails.

Nothing is imported or initialised before `connect`. A program's main function takes a `World` first:

    run_program("mdgen", Case, run=partial(launch, generate))      # calls generate(world, config)
"""

from runkit.mpi.communicator import MpiWorld
from runkit.mpi.counter import SharedCounter
from runkit.mpi.direct import takes_device_arrays
from runkit.mpi.launch import connect, launch, single_threaded
from runkit.mpi.library import native_calls
from runkit.mpi.messages import Messages
from runkit.mpi.serial import SerialWorld
from runkit.mpi.start import in_time
from runkit.mpi.world import World, share

__all__ = [
    "Messages",
    "MpiWorld",
    "SerialWorld",
    "SharedCounter",
    "World",
    "connect",
    "in_time",
    "launch",
    "native_calls",
    "share",
    "single_threaded",
    "takes_device_arrays",
]
