"""The same messages again and again: prepared once, started and awaited in each step."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from runkit.mpi.communicator import MpiWorld
from runkit.mpi.world import World


class Messages:
    """The same messages between ranks again and again: (rank, tag, contiguous array) to send and to receive."""

    def __init__(
        self, world: World, sends: Sequence[tuple[int, int, object]], receives: Sequence[tuple[int, int, object]]
    ) -> None:
        self._requests: list[Any] = []
        if isinstance(world, MpiWorld):
            self._requests += [world.comm.Recv_init(array, rank, tag) for rank, tag, array in receives]
            self._requests += [world.comm.Send_init(array, rank, tag) for rank, tag, array in sends]
        elif sends or receives:
            raise TypeError(f"messages go through MPI, which has not joined the ranks of a {type(world).__name__}")

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
