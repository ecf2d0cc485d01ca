"""The processes that train together: their ranks and groups, the device of each, and their collective operations.

Started by `deepspeed`, `torchrun`, an MPI launcher or `srun` (which set ranks), or alone. In a campaign the processes
form groups, each with a `torch.distributed` world of its own; all groups share one key-value store, from which they
take runs.
"""

from __future__ import annotations

import atexit
import ctypes
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist

from dtrain.join import JOIN_SECONDS, Party, all_gather, find, join
from dtrain.precision import use_precision
from dtrain.world import TorchWorld
from runkit.config import Config
from runkit.efficiency import WAIT, counted
from runkit.errors import INTERRUPTED, UserError, is_interrupt
from runkit.launcher import torch_launch
from runkit.mpi import MpiWorld, in_time
from runkit.mpi.launch import FORWARDING_SECONDS
from runkit.stop import Unsaved
from runkit.watch import watch_hosts

AGREEMENT_SECONDS = 2.0  # how long a process that failed waits to see whether all fail alike


class Ranks(TorchWorld):
    """This process in its group, which is number `group` of `n_groups`, and the device that it computes on.

    Ranks and collective methods are those of the group. All groups share the store; `mpi` is the world of the processes
    of all groups, where MPI has brought them together.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        group: int,
        n_groups: int,
        device: torch.device,
        store: dist.Store,
        mpi: MpiWorld | None = None,
    ) -> None:
        super().__init__(rank, size, store)
        self.group, self.n_groups, self.device, self.mpi = group, n_groups, device, mpi

    @property
    def number(self) -> int:
        """Number of this process among those of all groups; number 0 hosts the store."""
        return self.group * self.size + self.rank

    @property
    def n_all(self) -> int:
        """Number of processes in all groups."""
        return self.size * self.n_groups

    def mean(self, values: Sequence[float]) -> list[float]:
        """Mean of numbers over the group; collective."""
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # for its own work this process does not wait for others
        return [value / self.size for value in self._sum(total)]

    @counted(WAIT)
    def _sum(self, values: torch.Tensor) -> list[float]:
        """The sum over the group, on the host: it waits there, as NCCL only queues it; collective."""
        dist.all_reduce(values)
        total: list[float] = values.tolist()
        return total

    def take_run(self) -> int:
        """The next number of a count that all groups share: 0, 1, 2, …; collective in the group."""
        return self.bcast(self.store.add("turn", 1) - 1 if self.is_root else 0)

    def count_all(self, event: str, n_events: int, meanwhile: Callable[[], None] = lambda: None) -> int:
        """The sum of a number over all processes of all groups; collective, and waits as long as it takes."""
        self.store.add(f"{event} counted", n_events)
        self._wait_for(event, math.inf, meanwhile=meanwhile)
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
            else:
                if self.number > 0 or self.mpi is not None:
                    print(f"error: rank {self.number}: {error}", file=sys.stderr, flush=True)
                self._end_all(2)
            raise
        except BaseException as error:
            if self.mpi is not None:
                if not is_interrupt(error):
                    traceback.print_exception(error)
                self._end_all(INTERRUPTED if is_interrupt(error) else 1)
            raise
        if self.n_all > 1:  # a lone process may train again, for which DeepSpeed needs the same group
            dist.destroy_process_group()

    def _end_all(self, code: int) -> None:
        """End the processes that MPI has brought together, which otherwise would wait for each other."""
        if self.mpi is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            time.sleep(FORWARDING_SECONDS)
            self.mpi.comm.Abort(code)
            os._exit(code)  # some libraries come back from their Abort

    def _let_others_leave_first(self) -> None:
        """The process that hosts the store must be the last that uses it."""
        if self.number == 0:
            self._wait_for("left", JOIN_SECONDS)
        else:
            self.store.add("left", 1)

    def _wait_for(
        self, event: str, seconds: float, count: int = 1, meanwhile: Callable[[], None] = lambda: None
    ) -> bool:
        """Count this process, then wait until all are counted; whether they all came."""
        deadline = time.monotonic() + seconds
        arrived = self.store.add(event, count)
        while arrived < self.n_all and time.monotonic() < deadline:
            time.sleep(0.05)
            meanwhile()
            arrived = self.store.add(event, 0)
        return bool(arrived >= self.n_all)


def connect(device: str = "auto", threads: int = 0, ranks_per_run: int = 0, purpose: Config | None = None) -> Ranks:
    """Join the processes that were started together, in groups of `ranks_per_run` (0: one group).

    `purpose` is what they were started for, the same for all. Raises UserError: no GPU where one is needed, groups
    that do not divide the processes, processes out of reach, those of another training in their place.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise UserError(f"device = {device!r} is not allowed; allowed: auto, cpu, gpu")
    for name, value in (("threads", threads), ("campaign.ranks_per_run", ranks_per_run)):
        if not (isinstance(value, int) and 0 <= value <= 2**20):
            raise UserError(f"{name} = {value!r} is not allowed; allowed: a whole number, 0 or more")
    with in_time():
        party = find()
        chosen = _choose_device(device, party)
    size = ranks_per_run or party.size
    if party.size % size:
        raise UserError(f"campaign.ranks_per_run = {size} does not divide the {party.size} processes")
    use_precision()
    torch.set_num_threads(threads or max(1, len(os.sched_getaffinity(0)) // party.local_size))
    group, rank = divmod(party.rank, size)
    # DeepSpeed reads these again, and ends at a local rank of Open MPI other than LOCAL_RANK: the number of a GPU here.
    os.environ.pop("OMPI_COMM_WORLD_LOCAL_RANK", None)
    os.environ.update(RANK=str(party.rank), WORLD_SIZE=str(party.size), LOCAL_RANK=str(chosen.index or 0))
    with in_time():
        store = join(party, purpose)
        if party.size > 1:
            watch_hosts(party.rank, party.mpi.comm.allgather if party.mpi else all_gather(store, party, "watch"))
    if party.size > 1 or not dist.is_initialized():
        backend = "nccl" if chosen.type == "cuda" else "gloo"
        dist.init_process_group(backend, store=dist.PrefixStore(f"group{group}", store), rank=rank, world_size=size)
        if party.size == 1:
            atexit.register(_leave)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size))
    return Ranks(rank, size, group, party.size // size, chosen, store, party.mpi)


@contextmanager
def connected(what: str, device: str, threads: int, purpose: Config) -> Iterator[Ranks]:
    """Join as `connect` does for a program that saves nothing on its way; `what` a signal interrupts (`Unsaved`)."""
    with Unsaved(what, is_root=torch_launch().rank == 0):
        ranks = connect(device, threads, purpose=purpose)
        with ranks.together():
            yield ranks


def _leave() -> None:
    """End the threads of a lone process's group (gloo has three) before Python and the libraries are taken down."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _choose_device(wanted: str, party: Party) -> torch.device:
    found = torch.cuda.is_available()
    lacking = wanted == "gpu" and not found
    if party.mpi is not None:  # all must agree, or some would wait for others that have ended
        lacking = any(party.mpi.all_gather(lacking))
    if lacking:
        raise UserError("device = 'gpu', but torch finds no CUDA GPU here; allowed: auto, cpu")
    if wanted == "cpu" or not found:
        os.environ["DS_ACCELERATOR"] = "cpu"
        keep_freed_memory()
        return torch.device("cpu")
    device = torch.device("cuda", party.local_rank % torch.cuda.device_count())
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
