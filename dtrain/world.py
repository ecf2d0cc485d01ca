"""The `World` of processes that torch.distributed has joined: torch as one more implementation of runkit's protocol.

Source: https://docs.pytorch.org/docs/stable/distributed.html (object collectives, key-value stores).
"""

from __future__ import annotations

import socket
from typing import cast

import torch.distributed as dist

from runkit.efficiency import WAIT, counted
from runkit.mpi import SharedCounter, World
from runkit.mpi.world import T


class TorchWorld(World):
    """Processes of a group of torch.distributed, the default one if none is named; no MPI takes part.

    All of them, and perhaps others, share the key-value store.
    """

    takes_device_arrays = False
    library = "none"

    def __init__(self, rank: int, size: int, store: dist.Store, members: dist.ProcessGroup | None = None) -> None:
        self.rank, self.size, self.store, self._members = rank, size, store, members

    def barrier(self) -> None:
        self.all_gather(None)

    def bcast(self, value: T, root: int = 0) -> T:
        found: T = self.all_gather(cast(T, value if self.rank == root else None))[root]  # only root's travels
        return found

    def gather(self, value: T, root: int = 0) -> list[T] | None:
        """All processes get the values: torch has no gathering of objects on a GPU that is quicker."""
        values = self.all_gather(value)
        return values if self.rank == root else None

    @counted(WAIT)
    def all_gather(self, value: T) -> list[T]:
        values = [value] * self.size
        dist.all_gather_object(values, value, self._members)
        return values

    def split(self, color: int) -> TorchWorld:
        everyone = dist.get_process_group_ranks(self._members or dist.group.WORLD)
        colors = self.all_gather(color)
        mine = [number for number, other in zip(everyone, colors, strict=True) if other == color]
        members = dist.new_group(mine, use_local_synchronization=True)
        return TorchWorld(mine.index(everyone[self.rank]), len(mine), self.store, members)

    def node(self) -> TorchWorld:
        names = self.all_gather(socket.gethostname())
        return self.split(names.index(names[self.rank]))

    def shared_counter(self) -> SharedCounter:
        return StoreCounter(self)

    def progress(self) -> None:
        """The store has a thread of its own, which looks after requests at all times."""


class StoreCounter:
    """A counter in the store of a group; making it is collective."""

    def __init__(self, world: TorchWorld) -> None:
        self._world = world
        number = world.store.add("counters", 1) if world.is_root else 0  # other groups have theirs in the same store
        self._key = f"counter {world.bcast(number)}"

    def next(self) -> int:
        return int(self._world.store.add(self._key, 1)) - 1

    def free(self) -> None:
        self._world.barrier()
        if self._world.is_root:
            self._world.store.delete_key(self._key)
