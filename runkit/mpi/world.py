"""`World`, the protocol of a group of ranks: what each way of joining processes implements, and what follows from that.

A rank is one process of a program that was started several times. `MpiWorld` joins ranks by MPI, `SerialWorld` is one
rank alone, and `dtrain.world.TorchWorld` joins them by torch.distributed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from runkit.errors import UserError
from runkit.mpi.counter import SharedCounter

if TYPE_CHECKING:  # NumPy is not to be loaded yet: see `single_threaded`
    from runkit.arrays import Array

T = TypeVar("T")
P = ParamSpec("P")
Summand = TypeVar("Summand", int, float, "Array")
Number = TypeVar("Number", int, float)


def share(n_items: int, rank: int, size: int) -> range:
    """The contiguous part of `range(n_items)` that belongs to `rank`; lengths differ by one at most."""
    return range(n_items * rank // size, n_items * (rank + 1) // size)


class World(Protocol):
    """Rank number `rank` in a group of `size` ranks, which are numbered 0, 1, …; rank 0 is root.

    Methods without a note are collective: all ranks of the group call them, in the same order. Values that travel are
    pickled. An implementation derives from this class and gives what is abstract; the rest follows.
    """

    rank: int
    size: int

    @property
    @abstractmethod
    def takes_device_arrays(self) -> bool:
        """Whether messages (`Messages`) may be arrays of a GPU; False where there are none (not collective)."""

    @property
    @abstractmethod
    def library(self) -> str:
        """Name and version of the MPI library, "none" where no MPI joins the ranks (not collective)."""

    @abstractmethod
    def barrier(self) -> None:
        """Wait until all ranks are here."""

    @abstractmethod
    def bcast(self, value: T, root: int = 0) -> T:
        """The value of rank `root`, on every rank; those of the others are ignored."""

    @abstractmethod
    def gather(self, value: T, root: int = 0) -> list[T] | None:
        """The values of all ranks in their order, on rank `root`; None elsewhere."""

    @abstractmethod
    def all_gather(self, value: T) -> list[T]:
        """The values of all ranks in their order, on every rank."""

    @abstractmethod
    def split(self, color: int) -> World:
        """The group of the ranks that gave the same color, in the order that they have here."""

    @abstractmethod
    def node(self) -> World:
        """The group of the ranks on this node, in the order that they have here."""

    @abstractmethod
    def shared_counter(self) -> SharedCounter:
        """A new counter that all ranks share, at 0."""

    @abstractmethod
    def progress(self) -> None:
        """Let others take shared numbers while this rank computes, where that needs its help (not collective)."""

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0 (not collective)."""
        return self.rank == 0

    def share(self, n_items: int) -> range:
        """This rank's contiguous part of `range(n_items)` (not collective)."""
        return share(n_items, self.rank, self.size)

    def sum(self, value: Summand) -> Summand:
        """Sum over ranks of numbers, or of arrays of one shape, added in the order of ranks."""
        values = self.all_gather(value)
        return sum(values[1:], start=values[0])

    def max(self, value: Number) -> Number:
        """Largest number of all ranks."""
        return max(self.all_gather(value))

    def on_root(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call on root alone; its value, or its UserError, reaches every rank."""
        outcome: Any = None
        if self.is_root:
            try:
                outcome = function(*arguments, **named)
            except UserError as error:
                outcome = error
        outcome = self.bcast(outcome)
        if isinstance(outcome, UserError):
            raise outcome
        found: T = outcome
        return found

    def each(self, function: Callable[[int], T], n_items: int) -> list[T]:
        """`function` of every number below `n_items`, shared out: all values, or the first UserError, on every rank.

        An error reaches ranks when they have finished their own shares.
        """
        mine: list[T] = []
        error: UserError | None = None
        try:
            for i in self.share(n_items):
                mine.append(function(i))
        except UserError as raised:
            error = raised
        parts = self.all_gather((mine, error))
        for _, error in parts:
            if error is not None:
                raise error
        return list(chain(*(values for values, _ in parts)))

    def first_on_each_node(self, function: Callable[P, object], *arguments: P.args, **named: P.kwargs) -> None:
        """Call on one rank of each node, then on its others: for what fills a cache that a node shares."""
        node = self.node()
        if node.is_root:
            function(*arguments, **named)
        node.barrier()
        if not node.is_root:
            function(*arguments, **named)
