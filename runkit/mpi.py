"""The one door to MPI: ranks, shares of work, and an end of all ranks when one fails.

Nothing is imported or initialised before `connect`. A program's road takes a `World` as its first argument:

    run_program("mdgen", Case, run=partial(launch, generate))      # calls generate(world, config)
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
import traceback
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from runkit.errors import UserError, complain
from runkit.launcher import Launch, mpi_launch, this_launch

# How long a failing rank waits to see whether all the others fail alike.
AGREEMENT_SECONDS = 1.0
# How long the launcher gets to forward the last words of a rank before the abort ends it too.
FORWARDING_SECONDS = 0.5
MPIX_GPU_SUPPORT_CUDA = 0  # of MPICH


def share(n_items: int, rank: int, size: int) -> range:
    """The contiguous part of `range(n_items)` that belongs to `rank`; lengths differ by one at most."""
    return range(n_items * rank // size, n_items * (rank + 1) // size)


class World:
    """A group of ranks. `comm` is the mpi4py communicator; methods without a note are collective."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0 (not collective)."""
        return self.rank == 0

    def share(self, n_items: int) -> range:
        """This rank's contiguous part of `range(n_items)` (not collective)."""
        return share(n_items, self.rank, self.size)

    def barrier(self) -> None:
        """Wait for all ranks."""
        self.comm.Barrier()

    def bcast(self, value: Any, root: int = 0) -> Any:
        """The value of `root`, on every rank."""
        return self.comm.bcast(value, root=root)

    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        """The values of all ranks in their order, on `root`; None elsewhere."""
        values: list[Any] | None = self.comm.gather(value, root=root)
        return values

    def allgather(self, value: Any) -> list[Any]:
        """The values of all ranks in their order, on every rank."""
        if self.size == 1:  # a message to oneself costs more than a small sum
            return [value]
        values: list[Any] = self.comm.allgather(value)
        return values

    def sum(self, value: Any) -> Any:
        """Sum over ranks of numbers or arrays, in the order of ranks."""
        values = self.allgather(value)
        return sum(values[1:], start=values[0])

    def max(self, value: Any) -> Any:
        """Largest number of all ranks."""
        return max(self.allgather(value))

    def split(self, color: int) -> World:
        """The group of the ranks that gave the same color."""
        return World(self.comm.Split(color, self.rank))

    def on_root(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call on root alone; its value, or its UserError, reaches every rank."""
        outcome: Any = None
        if self.is_root:
            try:
                outcome = function(*arguments)
            except UserError as error:
                outcome = error
        outcome = self.bcast(outcome)
        if isinstance(outcome, UserError):
            raise outcome
        return outcome

    def tickets(self) -> Tickets:
        """A counter that all ranks share."""
        return Tickets(self)

    def progress(self) -> None:
        """Let MPI serve what other ranks want of this one (not collective)."""
        self.comm.Iprobe()

    def node(self) -> World:
        """The group of the ranks on this node."""
        from mpi4py import MPI

        return World(self.comm.Split_type(MPI.COMM_TYPE_SHARED))

    def local_rank(self) -> int:
        """This rank's number on its node."""
        return self.node().rank

    def first_on_each_node(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call on one rank of each node, then on its others: for what fills a cache that a node shares."""
        node = self.node()
        if node.is_root:
            function(*arguments)
        node.barrier()
        if not node.is_root:
            function(*arguments)

    def hints(self, **hints: str) -> Any:
        """An MPI info object (not collective)."""
        from mpi4py import MPI

        return MPI.Info.Create(list(hints.items()))

    @property
    def takes_device_arrays(self) -> bool:
        """Whether the MPI library says that it sends and receives arrays of a CUDA GPU (not collective)."""
        return _is_cuda_aware()

    @property
    def library(self) -> str:
        """Name and version of the MPI library (not collective)."""
        from mpi4py import MPI

        return MPI.Get_library_version().splitlines()[0].strip("\0 ")


class Messages:
    """The same messages between ranks again and again: (rank, tag, contiguous array) to send and to receive."""

    def __init__(
        self, world: World, sends: Sequence[tuple[int, int, Any]], receives: Sequence[tuple[int, int, Any]]
    ) -> None:
        comm = world.comm
        self._requests = [comm.Recv_init(array, rank, tag) for rank, tag, array in receives]
        self._requests += [comm.Send_init(array, rank, tag) for rank, tag, array in sends]

    def start(self) -> None:
        """Send what the arrays hold now; from here until `wait` they are not to be touched."""
        if self._requests:
            type(self._requests[0]).Startall(self._requests)

    def wait(self) -> None:
        """Until all has been sent and received."""
        if self._requests:
            type(self._requests[0]).Waitall(self._requests)

    @property
    def handles(self) -> bytes:
        """Requests as MPI has them, those to receive first, for compiled code; to be set if MPI has replaced some."""
        return b"".join(ctypes.string_at(place, size) for place, size in self._places())

    @handles.setter
    def handles(self, handles: bytes) -> None:
        for k, (place, size) in enumerate(self._places()):
            ctypes.memmove(place, handles[k * size : (k + 1) * size], size)

    def _places(self) -> list[tuple[int, int]]:
        from mpi4py import MPI

        return [(MPI._addressof(request), MPI._sizeof(request)) for request in self._requests]

    def free(self) -> None:
        """Give up, when all has been sent and received; not to be used again."""
        self.wait()
        for request in self._requests:
            request.Free()
        self._requests = []


class Tickets:
    """Numbers 0, 1, 2, …, each given to one rank: work for whoever is free. Making and freeing are collective."""

    def __init__(self, world: World) -> None:
        from mpi4py import MPI

        self._window = MPI.Win.Allocate(8 if world.is_root else 0, 8, comm=world.comm)
        self._sum = MPI.SUM
        if world.is_root:
            self._window.Lock(0)
            self._window.Put(array("q", [0]), 0)
            self._window.Unlock(0)
        world.barrier()

    def next(self) -> int:
        """The next number (not collective)."""
        one, ticket = array("q", [1]), array("q", [0])
        self._window.Lock(0)
        self._window.Fetch_and_op(one, ticket, 0, op=self._sum)
        self._window.Unlock(0)
        return ticket[0]

    def free(self) -> None:
        """Give the window back; collective."""
        self._window.Free()


class SerialWorld(World):
    """One rank without MPI."""

    def __init__(self) -> None:
        self.comm, self.rank, self.size = None, 0, 1

    def barrier(self) -> None:
        """Nobody to wait for."""

    def bcast(self, value: Any, root: int = 0) -> Any:
        return value

    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        return [value]

    def allgather(self, value: Any) -> list[Any]:
        return [value]

    def split(self, color: int) -> World:
        return self

    def tickets(self) -> Tickets:
        return _SerialTickets()

    def progress(self) -> None:
        """Nobody wants anything."""

    def node(self) -> World:
        return self

    def first_on_each_node(self, function: Callable[..., Any], *arguments: Any) -> None:
        function(*arguments)

    def hints(self, **hints: str) -> Any:
        raise RuntimeError("there is no MPI to give hints to")

    @property
    def library(self) -> str:
        return "none"


class _SerialTickets(Tickets):
    """Tickets for one rank without MPI."""

    def __init__(self) -> None:
        self._next = -1

    def next(self) -> int:
        self._next += 1
        return self._next

    def free(self) -> None:
        """Nothing to give back."""


def connect() -> World:
    """Join the ranks that were started together; without mpi4py and without a launcher, one rank alone.

    Raises UserError if the launcher started a number of processes other than the one that MPI sees.
    """
    launched = mpi_launch()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        if launched is not None and launched.size > 1:
            started = f"{launched.launcher} started {launched.size} processes"
            raise UserError(f"{started}, but mpi4py does not work here: {error}") from error
        return SerialWorld()
    world = World(MPI.COMM_WORLD)
    _check_size(world, launched)
    return world


def launch(main: Callable[..., None], *arguments: Any) -> None:
    """Call `main(world, *arguments)`; an error on any rank ends all ranks.

    A UserError is shown as one line and ends the program with code 2, any other error as a traceback with its rank and
    code 1.
    """
    try:
        world = connect()
    except UserError as error:
        if this_launch().rank == 0:
            complain(error)
        sys.exit(2)
    alarm = world.comm.Dup() if world.size > 1 else None
    try:
        main(world, *arguments)
    except UserError as error:
        _end_user_error(world, alarm, error)
    except KeyboardInterrupt:
        _abort(world, 130)
    except SystemExit as end:
        if end.code:
            _abort(world, end.code if isinstance(end.code, int) else 1)
        raise
    except BaseException:
        where = f"rank {world.rank} of {world.size}: " if world.size > 1 else ""
        print(where + traceback.format_exc(), file=sys.stderr, end="", flush=True)
        _abort(world, 1)


def single_threaded() -> None:
    """One thread per rank, unless the environment says otherwise.

    To be called before NumPy and Numba are imported, which read these variables only then.
    """
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def native_calls() -> tuple[int, int, int, int]:
    """Where MPI_Startall and MPI_Waitall lie, and how many bytes a request and a status have."""
    from mpi4py import MPI

    library = _library()
    calls = library.MPI_Startall, library.MPI_Waitall
    startall, waitall = (ctypes.cast(call, ctypes.c_void_p).value or 0 for call in calls)
    return startall, waitall, MPI._sizeof(MPI.Request), MPI._sizeof(MPI.Status)


def _library() -> ctypes.CDLL:
    """The symbols of mpi4py, and those of the MPI library that it is linked to."""
    from mpi4py import MPI

    return ctypes.CDLL(MPI.__file__)


def _is_cuda_aware() -> bool:
    """What the loaded library answers: Open MPI and MPICH have a call each, others none."""
    library = _library()
    if hasattr(library, "MPIX_Query_cuda_support"):
        return bool(library.MPIX_Query_cuda_support())
    if hasattr(library, "MPIX_GPU_query_support"):
        answer = ctypes.c_int(0)
        failed = library.MPIX_GPU_query_support(ctypes.c_int(MPIX_GPU_SUPPORT_CUDA), ctypes.byref(answer))
        return not failed and bool(answer.value)
    return False


def _check_size(world: World, launched: Launch | None) -> None:
    if launched is not None and launched.size != world.size:
        raise UserError(
            f"{launched.launcher} started {launched.size} processes, but MPI sees {world.size}: mpi4py uses another "
            f"MPI library ({world.library}) than the launcher; use the launcher of that library"
        )


def _end_user_error(world: World, alarm: Any, error: UserError) -> None:
    """If all ranks failed, root speaks and all leave in order; if only some did, they speak and end the job."""
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
    if world.size > 1:
        world.comm.Abort(code)
    sys.exit(code)
