"""Dynamic sharing of work: ranks that are free take the next number from a counter that one of them keeps."""

from __future__ import annotations

from array import array
from typing import Any, Protocol

from runkit.efficiency import WAIT, counted


class SharedCounter(Protocol):
    """Numbers 0, 1, 2, …, each given to one rank of a group, whichever asks next."""

    def next(self) -> int:
        """The next number, which no other call on any rank gets (not collective)."""

    def free(self) -> None:
        """Give the counter back; collective. No rank may take a number afterwards."""


class MpiCounter:
    """A counter in the memory of rank 0 of an mpi4py communicator; making it is collective."""

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        self._window = MPI.Win.Allocate(8 if comm.Get_rank() == 0 else 0, 8, comm=comm)
        self._sum = MPI.SUM
        if comm.Get_rank() == 0:
            self._window.Lock(0)
            self._window.Put(array("q", [0]), 0)
            self._window.Unlock(0)
        comm.Barrier()

    @counted(WAIT)
    def next(self) -> int:
        one, number = array("q", [1]), array("q", [0])
        self._window.Lock(0)
        self._window.Fetch_and_op(one, number, 0, op=self._sum)
        self._window.Unlock(0)
        return number[0]

    def free(self) -> None:
        self._window.Free()


class SerialCounter:
    """A counter for one rank alone."""

    def __init__(self) -> None:
        self._next = -1

    def next(self) -> int:
        self._next += 1
        return self._next

    def free(self) -> None:
        """Nothing to give back."""
