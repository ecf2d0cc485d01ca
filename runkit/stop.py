"""When a run has to end before it is done: its time is over, or a batch system warns it by a signal.

A run that has to end leaves its work at the next place where a checkpoint can stand, saves one, and ends with exit code
UNFINISHED: the same command goes on. A signal may reach one rank alone, which notifies the others. A rank that reaches
no such place in time is ended by a thread, whatever it waits for: the work since its last checkpoint is done again.
Source: sysexits.h (EX_TEMPFAIL); signals that schedulers warn by: SIGTERM (all), SIGUSR1, SIGUSR2 (Slurm, Grid Engine),
SIGXCPU.
"""

from __future__ import annotations

import math
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from runkit.errors import UNFINISHED as UNFINISHED
from runkit.errors import complain
from runkit.imports import SIGNALS, take_early, taken_early
from runkit.log import Rank, say
from runkit.mpi import MpiWorld, World

SAVING_SECONDS = 600.0  # from there to the end, for a large checkpoint; a batch system may cut it short
NOTE = "UNFINISHED_NOTE"  # variable with the name of a file that takes how much work was kept
_LONGEST_NAP = 0.01
_HEARSAY = "another rank was warned"
_OVER, _CHANGED = b"\0", b"\1"  # messages to the thread, beside numbers of signals


class Stopped(Exception):
    """This rank has left its work, and what it has done is saved."""


class Limits(Protocol):
    """The keys of a configuration that limit the time of a run."""

    @property
    def minutes(self) -> float: ...

    @property
    def grace_seconds(self) -> float: ...


class Notice:
    """Whether this process has to end, by its time limit or a signal; `with Notice(config) as notice: …`.

    `kept` counts pieces of work that were brought to an end or to a checkpoint since the start.
    """

    def __init__(self, limits: Limits) -> None:
        self.why = ""
        self.kept = 0
        self._has_arrived = False
        self._grace = limits.grace_seconds
        self._end = time.monotonic() + 60 * limits.minutes if limits.minutes else math.inf
        self._told_end = f"its {limits.minutes:g} minutes are over"
        self._deadline = self._end + self._grace  # for the thread
        self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # A handler of Python waits until compiled code comes back; the number of the signal is in the pipe at once.
        self._wakeup = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._take) for number in SIGNALS}
        self._thread = threading.Thread(target=self._watch, name="stop", daemon=True)
        self._thread.start()
        for number in taken_early():
            self._take(number, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Signals do what they did before; if that was to end a run that had not begun, they do what is usual."""
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler in (None, take_early) else handler)
        signal.set_wakeup_fd(self._wakeup)
        self._wake(_OVER)
        self._thread.join()
        for end in self._pipe:
            os.close(end)

    def is_wanted(self, ahead: float = 0.0) -> bool:
        """Whether this process is to end, or would have to before the next `ahead` seconds are over."""
        if not self.why and time.monotonic() + ahead >= self._end:
            self.learn(self._told_end)
        return bool(self.why)

    def learn(self, why: str) -> None:
        """From here on the process is to end."""
        if not self.why:
            self.why = why
            self._deadline = time.monotonic() + self._grace
            self._wake(_CHANGED)

    def keep(self, n_pieces: int) -> None:
        """So many pieces of work more are kept."""
        self.kept += n_pieces

    def arrive(self) -> None:
        """The work is left; what remains, once the process is to end, is to save it and to wait for others."""
        if self.why and not self._has_arrived:
            self._has_arrived = True
            self._deadline = time.monotonic() + SAVING_SECONDS
            self._wake(_CHANGED)

    def _wake(self, byte: bytes) -> None:
        with suppress(BlockingIOError):  # so many signals have come that the thread is awake
            os.write(self._pipe[1], byte)

    def _take(self, number: int, _frame: Any) -> None:
        self.learn(signal.Signals(number).name)

    def _watch(self) -> None:
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                self._give_up()
            ready, _, _ = select.select([self._pipe[0]], [], [], min(left, threading.TIMEOUT_MAX))
            for number in os.read(self._pipe[0], 512) if ready else b"":
                if number == _OVER[0]:
                    return
                if number in SIGNALS:
                    self._take(number, None)

    def _give_up(self) -> None:
        complain(f"{self.why or self._told_end}, and no checkpoint could be written in time; the last one stands")
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(UNFINISHED)  # which the launcher answers by ending the others


class _Never(NamedTuple):
    """No limit of time; whoever is warned ends at once."""

    minutes: float = 0.0
    grace_seconds: float = 0.0


class Unsaved(Notice):
    """Of a program that saves nothing on its way, called `what`: a signal ends it at once, with code UNFINISHED."""

    def __init__(self, what: str, is_root: bool) -> None:
        self._what, self._is_root = what, is_root
        super().__init__(_Never())

    def _give_up(self) -> None:
        if not self._is_root:
            time.sleep(1.0)  # where all were warned, root speaks for them, and the launcher ends them
        complain(f"{self.why}: {self._what} is unfinished; the same command begins it anew")
        os._exit(UNFINISHED)


class Stop(Notice):
    """Whether all ranks of `world` are to end, because one of them is; making is collective."""

    def __init__(self, world: World, limits: Limits) -> None:
        super().__init__(limits)
        self.world = world
        self._comm = world.comm.Dup() if isinstance(world, MpiWorld) and world.size > 1 else None
        self._sent: list[Any] = []
        self._is_known = False  # to the others too

    def is_wanted(self, ahead: float = 0.0) -> bool:
        """As of one process, or because another rank has to; notifies the others. Not collective; takes 1 to 2 µs."""
        if self._comm is None or self._is_known:
            return super().is_wanted(ahead)
        if self._comm.Iprobe():
            self.learn(_HEARSAY)
            self._is_known = True
        elif super().is_wanted(ahead):
            others = (rank for rank in range(self.world.size) if rank != self.world.rank)
            self._sent = [self._comm.isend(None, rank) for rank in others]
            self._is_known = True
        return bool(self.why)

    def here(self, ahead: float = 0.0) -> None:
        """A place where the work of this rank can be left: raises Stopped if it has to end (not collective)."""
        if self.is_wanted(ahead):
            self.arrive()
            raise Stopped

    def meet(self) -> bool:
        """Wait for all ranks, receiving notices meanwhile; whether they are to end now. Collective."""
        if self._comm is None:
            if self.is_wanted():
                self.arrive()
            return bool(self.why)
        arrival, nap = self._comm.Ibarrier(), 1e-4
        while not arrival.Test():
            if self.is_wanted():
                self.arrive()
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)
        found = self.world.all_gather((bool(self.why), bool(self._sent)))
        for rank, (_, has_sent) in enumerate(found):
            if has_sent and rank != self.world.rank:
                self._comm.recv(source=rank)
        for request in self._sent:
            request.wait()
        return any(wanted for wanted, _ in found)

    def conclude(self, name: object) -> int:
        """Report that the run `name` is unfinished, and how much of it was kept; its exit code. Collective."""
        n_kept = self.world.sum(self.kept)
        reasons = set(self.world.all_gather(self.why)) - {"", _HEARSAY}
        return unfinished(self.world, name, ", ".join(sorted(reasons)), n_kept)


def unfinished(root: Rank, name: object, why: str, n_kept: int) -> int:
    """Report from root that a run is unfinished, and write a note for the script that started it; the exit code."""
    say(root, f"{name}: unfinished: {why}; {n_kept} pieces of work were kept; the same command goes on")
    if root.is_root and (note := os.environ.get(NOTE)):
        Path(note).write_text(f"{n_kept}\n")
    return UNFINISHED
