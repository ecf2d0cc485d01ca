"""One rank without MPI."""

from __future__ import annotations

from runkit.mpi.counter import SerialCounter, SharedCounter
from runkit.mpi.world import T, World


class SerialWorld(World):
    """One rank alone: it is root, and all values are its own."""

    takes_device_arrays = False
    library = "none"

    def __init__(self) -> None:
        self.rank, self.size = 0, 1

    def barrier(self) -> None:
        """Return at once: there is no other rank."""

    def bcast(self, value: T, root: int = 0) -> T:
        return value

    def gather(self, value: T, root: int = 0) -> list[T] | None:
        return [value]

    def all_gather(self, value: T) -> list[T]:
        return [value]

    def split(self, color: int) -> World:
        return self

    def node(self) -> World:
        return self

    def shared_counter(self) -> SharedCounter:
        return SerialCounter()

    def progress(self) -> None:
        """Do nothing: there is no other rank."""
