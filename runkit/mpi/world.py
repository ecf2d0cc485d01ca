"""A group of ranks, and one rank without MPI that has the same methods."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from runkit.efficiency import WAIT, counted
from runkit.errors import UserError
from runkit.mpi.library import library_version
from runkit.mpi.tickets import SerialTickets, Tickets


def share(n_items: int, rank: int, size: int) -> range:
    """The contiguous part of `range(n_items)` that belongs to `rank`; lengths differ by one at most."""
    return range(n_items * rank // size, n_items * (rank + 1) // size)


class World:
    """A group of ranks. `comm` is the mpi4py communicator; methods without a note are collective."""

    takes_device_arrays = False  # whether messages may be arrays of a GPU; to be set by who has tried (`direct.py`)

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

    @counted(WAIT)
    def barrier(self) -> None:
        """Wait for all ranks."""
        self.comm.Barrier()

    @counted(WAIT)
    def bcast(self, value: Any, root: int = 0) -> Any:
        """The value of `root`, on every rank."""
        return self.comm.bcast(value, root=root)

    @counted(WAIT)
    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        """The values of all ranks in their order, on `root`; None elsewhere."""
        values: list[Any] | None = self.comm.gather(value, root=root)
        return values

    @counted(WAIT)
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

    @counted(WAIT)
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

    def each(self, function: Callable[[int], Any], n_items: int) -> list[Any]:
        """`function` of every number below `n_items`, shared out: all values, or the first UserError, on every rank.

        An error reaches ranks when they have finished their own shares.
        """
        mine: list[Any] = []
        error: UserError | None = None
        try:
            for i in self.share(n_items):
                mine.append(function(i))
        except UserError as raised:
            error = raised
        parts = self.allgather((mine, error))
        for _, error in parts:
            if error is not None:
                raise error
        return list(chain(*(values for values, _ in parts)))

    def tickets(self) -> Tickets:
        """A counter that all ranks share."""
        return Tickets(self.comm)

    def progress(self) -> None:
        """Let MPI serve what other ranks want of this one (not collective)."""
        self.comm.Iprobe()

    @counted(WAIT)
    def node(self) -> World:
        """The group of the ranks on this node."""
        from mpi4py import MPI

        return World(self.comm.Split_type(MPI.COMM_TYPE_SHARED))

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
    def library(self) -> str:
        """Name and version of the MPI library (not collective)."""
        return library_version()


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
        return SerialTickets()

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
