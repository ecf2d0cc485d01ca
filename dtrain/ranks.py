"""The processes that train together: who they are, what device each uses, and what they tell each other.

Started by `deepspeed`, `torchrun`, an MPI launcher or `srun` (which set ranks), or alone. In a campaign the processes
form groups, each with a `torch.distributed` world of its own; all groups share one key-value store, from which they
take runs.
"""

from __future__ import annotations

import ctypes
import math
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from dtrain.precision import use_precision
from runkit.errors import UserError
from runkit.launcher import this_launch

JOIN_SECONDS = 120  # until all processes must have found each other
AGREEMENT_SECONDS = 2.0  # how long a process that failed waits to see whether all fail alike
_LOCAL_RANK = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")
_LOCAL_SIZE = ("LOCAL_WORLD_SIZE", "LOCAL_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS")


@dataclass(frozen=True)
class Ranks:
    """This process in its group: `rank` of `size`; the group is number `group` of `n_groups`. `n_all` counts all."""

    rank: int
    size: int
    group: int
    n_groups: int
    device: torch.device
    store: Any

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0 of its group."""
        return self.rank == 0

    @property
    def number(self) -> int:
        """Number of this process among those of all groups; number 0 hosts the store."""
        return self.group * self.size + self.rank

    @property
    def n_all(self) -> int:
        """Number of processes in all groups."""
        return self.size * self.n_groups

    def barrier(self) -> None:
        """Wait for the group; collective."""
        self.gather(None)

    def mean(self, values: Sequence[float]) -> list[float]:
        """Mean of numbers over the group; collective."""
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return [value / self.size for value in total.tolist()]

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks of the group, on every rank; collective."""
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def from_root(self, value: Any) -> Any:
        """The value of rank 0, on every rank of the group; collective."""
        return self.gather(value if self.is_root else None)[0]

    def take_turn(self) -> int:
        """The next number of a count that all groups share: 0, 1, 2, …; collective in the group."""
        turn: int = self.from_root(self.store.add("turn", 1) - 1 if self.is_root else None)
        return turn

    def count_all(self, event: str, n_events: int) -> int:
        """The sum of a number over all processes of all groups; collective, and waits as long as it takes."""
        self.store.add(f"{event} counted", n_events)
        self._wait_for(event, math.inf)
        total: int = self.store.add(f"{event} counted", 0)
        return total

    @contextmanager
    def together(self) -> Iterator[None]:
        """Ends the work of all groups in order.

        A UserError that all processes raise is left to root to report; one of a single process is reported by itself,
        because the others wait for it until the launcher ends them.
        """
        try:
            yield
            self.count_all("done", 1)
            self._let_others_leave_first()
        except UserError as error:
            self.store.add("failed", 1)
            if self._wait_for("failed", AGREEMENT_SECONDS, count=0):
                self._let_others_leave_first()
            elif self.number > 0:
                print(f"error: rank {self.number}: {error}", file=sys.stderr, flush=True)
            raise
        if self.n_all > 1:  # a lone process may train again, for which DeepSpeed needs the same group
            dist.destroy_process_group()

    def _let_others_leave_first(self) -> None:
        """The process that hosts the store must be the last that uses it."""
        if self.number == 0:
            self._wait_for("left", JOIN_SECONDS)
        else:
            self.store.add("left", 1)

    def _wait_for(self, event: str, seconds: float, count: int = 1) -> bool:
        """Count this process, then wait until all are counted; whether they all came."""
        deadline = time.monotonic() + seconds
        arrived = self.store.add(event, count)
        while arrived < self.n_all and time.monotonic() < deadline:
            time.sleep(0.05)
            arrived = self.store.add(event, 0)
        return bool(arrived >= self.n_all)


def connect(device: str = "auto", threads: int = 0, ranks_per_run: int = 0) -> Ranks:
    """Join the processes that were started together, in groups of `ranks_per_run` (0: one group).

    Raises UserError: no GPU where one is asked for, groups that do not divide the processes, processes out of reach.
    """
    launched = this_launch()
    size = ranks_per_run or launched.size
    if launched.size % size:
        raise UserError(f"campaign.ranks_per_run = {size} does not divide the {launched.size} processes")
    chosen = _choose_device(device)
    use_precision()
    torch.set_num_threads(threads or _share_of_cores())
    group, rank = divmod(launched.rank, size)
    # DeepSpeed reads these again.
    os.environ.update(RANK=str(launched.rank), WORLD_SIZE=str(launched.size), LOCAL_RANK=str(chosen.index or 0))
    store = _join(launched.size)
    if launched.size > 1 or not dist.is_initialized():
        backend = "nccl" if chosen.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=dist.PrefixStore(f"group{group}", store), rank=rank, world_size=size)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size))
    return Ranks(rank, size, group, launched.size // size, chosen, store)


def _join(size: int) -> Any:
    """The key-value store that all processes share."""
    if size == 1:
        return dist.HashStore()
    address = os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    port = os.environ.setdefault("MASTER_PORT", "29500")
    try:
        store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=JOIN_SECONDS)))
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{socket.gethostname()}: rank 0 is not to be had at {address}:{port} ({str(error).splitlines()[0]}); set "
            "MASTER_ADDR to the node of rank 0 and MASTER_PORT to a free port of it"
        ) from error
    return store


def _choose_device(wanted: str) -> torch.device:
    found = torch.cuda.is_available()
    if wanted == "gpu" and not found:
        raise UserError("device = 'gpu', but torch finds no CUDA GPU here; allowed: auto, cpu")
    if wanted == "cpu" or not found:
        os.environ["DS_ACCELERATOR"] = "cpu"
        keep_freed_memory()
        return torch.device("cpu")
    device = torch.device("cuda", _from_environment(_LOCAL_RANK, 0) % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


def keep_freed_memory() -> None:
    """Let the C library keep what a step frees for the next step.

    By default (glibc) large arrays go back to the system each time, and getting fresh pages costs a step on the CPU
    more than its arithmetic.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        m_trim_threshold, m_mmap_max = -1, -4
        mallopt(m_mmap_max, 0)
        mallopt(m_trim_threshold, -1)


def _share_of_cores() -> int:
    """Cores this process may use, divided by the processes of its node where the launcher tells their number."""
    return max(1, len(os.sched_getaffinity(0)) // _from_environment(_LOCAL_SIZE, 1))


def _from_environment(names: Sequence[str], otherwise: int) -> int:
    return next((int(os.environ[name]) for name in names if os.environ.get(name)), otherwise)
