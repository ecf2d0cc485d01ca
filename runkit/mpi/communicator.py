"""A group of ranks that MPI has joined."""

from __future__ import annotations

from typing import Any

from runkit.efficiency import WAIT, counted
from runkit.mpi.counter import MpiCounter, SharedCounter
from runkit.mpi.library import library_version
from runkit.mpi.world import T, World


class MpiWorld(World):
    """The ranks of `comm`, an mpi4py communicator."""

    takes_device_arrays = False  # to be set by who has tried (`direct.py`)

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()

    @classmethod
    def alone(cls) -> MpiWorld:
        """This process alone, which can send itself messages."""
        from mpi4py import MPI

        return cls(MPI.COMM_SELF)

    @property
    def library(self) -> str:
        return library_version()

    @counted(WAIT)
    def barrier(self) -> None:
        self.comm.Barrier()

    @counted(WAIT)
    def bcast(self, value: T, root: int = 0) -> T:
        found: T = self.comm.bcast(value, root=root)
        return found

    @counted(WAIT)
    def gather(self, value: T, root: int = 0) -> list[T] | None:
        values: list[T] | None = self.comm.gather(value, root=root)
        return values

    @counted(WAIT)
    def all_gather(self, value: T) -> list[T]:
        if self.size == 1:  # a message to oneself costs more than a small sum
            return [value]
        values: list[T] = self.comm.allgather(value)
        return values

    @counted(WAIT)
    def split(self, color: int) -> MpiWorld:
        return MpiWorld(self.comm.Split(color, self.rank))

    @counted(WAIT)
    def node(self) -> MpiWorld:
        from mpi4py import MPI

        return MpiWorld(self.comm.Split_type(MPI.COMM_TYPE_SHARED))

    def shared_counter(self) -> SharedCounter:
        return MpiCounter(self.comm)

    def progress(self) -> None:
        """MPI looks after requests of other ranks when it is called."""
        self.comm.Iprobe()

    def hints(self, **hints: str) -> Any:
        """An MPI info object (not collective)."""
        from mpi4py import MPI

        return MPI.Info.Create(list(hints.items()))
