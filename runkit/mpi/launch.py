"""How a program joins its ranks and leaves them: an error on one ends all."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from runkit.errors import INTERRUPTED, UserError, complain, is_interrupt
from runkit.launcher import Launch, forget_lost_connection, mpi_launch, this_launch
from runkit.memory import shortage
from runkit.mpi.communicator import MpiWorld
from runkit.mpi.room import require_room
from runkit.mpi.serial import SerialWorld
from runkit.mpi.start import in_time, world_communicator
from runkit.mpi.world import World
from runkit.watch import watch_hosts

# How long a failing rank waits to see whether all the others fail alike.
AGREEMENT_SECONDS = 1.0
CLOSED = 141  # as `runkit.cli` ends when the reader of the standard output has left
# How long the launcher gets to forward the last words of a rank before the abort ends it too.
FORWARDING_SECONDS = 0.5


def connect() -> World:
    """Join the ranks that were started together; without mpi4py and without a launcher, one rank alone.

    The ranks of MPI count; variables that contradict them are named. Raises UserError if a launcher that shows itself
    started more processes than the one that MPI sees, or if MPI does not find the room that it needs.
    """
    lost, launched = forget_lost_connection(), mpi_launch()
    require_room()
    try:
        world = MpiWorld(world_communicator())
    except (ImportError, RuntimeError) as error:
        if launched is not None and launched.size > 1 and launched.is_sure:
            started = f"{launched.launcher} started {launched.size} processes"
            raise UserError(f"{started}, but mpi4py does not work here: {error}") from error
        return SerialWorld()
    _settle(world, launched or lost)
    return world


def launch(main: Callable[..., int | None], *arguments: Any) -> None:
    """Call `main(world, *arguments)`; an error on any rank ends all ranks.

    What `main` returns, if it is not None, is the exit code, the same on every rank.

    A UserError, or a lack of memory, is shown as one line and ends the program with code 2, any other error as a
    traceback with its rank and code 1.
    """
    world = _connected()
    alarm = world.comm.Dup() if isinstance(world, MpiWorld) and world.size > 1 else None
    try:
        if alarm is not None:
            with in_time():
                watch_hosts(world.rank, alarm.allgather)
        code = main(world, *arguments)
    except UserError as error:
        _end_user_error(world, alarm, error)
    except BrokenPipeError:
        if world.size == 1:
            raise  # the command line ends it quietly
        complain("the reader of the standard output has left")
        _abort(world, CLOSED)
    except SystemExit as end:
        if end.code:
            _abort(world, end.code if isinstance(end.code, int) else 1)
        raise
    except BaseException as error:
        if is_interrupt(error):
            _abort(world, INTERRUPTED)
        if (message := shortage(error)) is not None:
            _end_user_error(world, alarm, message)
        where = f"rank {world.rank} of {world.size}: " if world.size > 1 else ""
        print(where + traceback.format_exc(), file=sys.stderr, end="", flush=True)
        _abort(world, 1)
    else:
        if code:
            sys.exit(code)


def _connected() -> World:
    """The group of all ranks; where there is none, the end of the program, told by one rank."""
    try:
        return connect()
    except UserError as error:
        launched = this_launch()
        if launched.rank == 0 or not launched.is_sure:
            complain(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def single_threaded() -> None:
    """Limit libraries to one thread per rank, unless the environment sets another number.

    To be called before NumPy and Numba are imported, which read these variables only then.
    """
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def _settle(world: World, launched: Launch | None) -> None:
    """Compare the variables of the environment with MPI."""
    if launched is None or launched.size == world.size:
        return
    if world.size == 1 and launched.is_sure:
        raise UserError(
            f"{launched.launcher} started {launched.size} processes, but MPI sees {world.size}: mpi4py uses another "
            f"MPI library ({world.library}) than the launcher; use the launcher of that library"
        )
    if world.is_root:
        counted = "this process alone" if world.size == 1 else f"{world.size} ranks"
        print(f"note: {launched} in the environment is left over: MPI sees {counted}", file=sys.stderr, flush=True)


def _end_user_error(world: World, alarm: Any, error: UserError) -> None:
    """If all ranks failed, root reports and all leave in order; if only some did, they report and end the job."""
    if alarm is None or _all_arrive(alarm):
        if world.is_root:
            complain(error)
        sys.exit(2)
    complain(f"rank {world.rank}: {error}")
    _abort(world, 2)


def _all_arrive(alarm: Any) -> bool:
    request = alarm.Ibarrier()
    deadline = time.monotonic() + AGREEMENT_SECONDS
    while time.monotonic() < deadline:
        if request.Test():
            return True
        time.sleep(0.01)
    return False


def _abort(world: World, code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    time.sleep(FORWARDING_SECONDS)
    if isinstance(world, MpiWorld) and world.size > 1:
        world.comm.Abort(code)
    sys.exit(code)
