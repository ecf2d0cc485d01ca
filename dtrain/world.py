"""The processes that torch has joined, as runkit's writer, progress and log know them."""

from __future__ import annotations

from typing import Any

from dtrain.ranks import Ranks
from runkit.mpi import SerialWorld


class World(SerialWorld):
    """The group of `ranks`; no MPI takes part."""

    def __init__(self, ranks: Ranks) -> None:
        self.comm, self.rank, self.size, self._ranks = None, ranks.rank, ranks.size, ranks

    def barrier(self) -> None:
        self._ranks.barrier()

    def bcast(self, value: Any, root: int = 0) -> Any:
        return self._ranks.gather(value if self.rank == root else None)[root]

    def gather(self, value: Any, root: int = 0) -> list[Any] | None:
        values = self._ranks.gather(value)
        return values if self.rank == root else None

    def allgather(self, value: Any) -> list[Any]:
        return self._ranks.gather(value)
