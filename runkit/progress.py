"""Progress of a long stage: a bar on a terminal; in a log, a line now and then with rate and time left.

Only root reports. It shows its own share of the work, which stands for all ranks because shares are even; asking the
others would cost messages inside the loop.
"""

from __future__ import annotations

import sys
import time
from threading import Event, Thread
from types import TracebackType
from typing import NamedTuple

from tqdm import tqdm

from runkit.log import say
from runkit.mpi import World

# In a log: a line when a tenth more is done, but none sooner than this, and one at least every REMIND seconds.
QUIET_SECONDS = 10.0
REMIND_SECONDS = 300.0


class Reporter(NamedTuple):
    """The process that reports: one root, whose count is that of all."""

    is_root: bool
    size: int = 1


class Progress:
    """Counts `total` units of work of this rank: `with Progress(world, 10, "step", "propagate") as progress: …`."""

    def __init__(self, world: World | Reporter, total: float, unit: str = "unit", title: str = "") -> None:
        self.total, self.unit, self.title = float(total), unit, title
        self.done = 0.0
        self._shown = world.is_root
        self._share = f" (share of rank 0 of {world.size})" if world.size > 1 else ""
        self._start = self._last_time = time.monotonic()
        self._last_done = 0.0
        self._bar: tqdm[None] | None = None
        if self._shown and sys.stderr.isatty():
            self._bar = tqdm(total=self.total, desc=title + self._share, unit=f" {unit}", unit_scale=True, leave=True)

    def advance(self, amount: float = 1.0) -> None:
        """`amount` more units are done."""
        self.done += amount
        if self._bar is not None:
            self._bar.update(amount)
        elif self._shown and self._is_time():
            self._line()

    def reach(self, amount: float) -> None:
        """`amount` units are done in all."""
        self.advance(max(0.0, amount - self.done))

    def close(self) -> None:
        """Report the end; nothing is shown after it."""
        if self._bar is not None:
            self._bar.close()
        elif self._shown and self.done > self._last_done:
            self._line()
        self._bar, self._shown = None, False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_time(self) -> bool:
        waited = time.monotonic() - self._last_time
        tenth = self.done - self._last_done >= self.total / 10
        return waited >= REMIND_SECONDS or (tenth and waited >= QUIET_SECONDS)

    def _line(self) -> None:
        self._last_time, self._last_done = time.monotonic(), self.done
        passed = max(self._last_time - self._start, 1e-9)
        rate = self.done / passed
        left = (self.total - self.done) / rate if rate > 0 else 0.0
        percent = 100 * self.done / self.total if self.total else 100.0
        print(
            f"{self.title}{self._share}: {percent:3.0f} %, {self.done:g} of {self.total:g} {self.unit}, "
            f"{rate:.3g} {self.unit}/s, {clock_time(passed)} passed, {clock_time(max(left, 0.0))} left",
            flush=True,
        )


class Patience:
    """Reports now and then that work without a measure of progress goes on: `with Patience(world, "compiling"): …`.

    A thread of root reports, since the work itself does not return before it is done.
    """

    def __init__(self, world: World | Reporter, what: str, every: float = QUIET_SECONDS) -> None:
        self._world, self._what, self._every, self._is_over = world, what, every, Event()
        self._thread = Thread(target=self._speak, daemon=True) if world.is_root else None

    def __enter__(self) -> Patience:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _speak(self) -> None:
        start = time.monotonic()
        while not self._is_over.wait(self._every):
            say(self._world, f"{self._what}: {clock_time(time.monotonic() - start)} passed")


def duration(seconds: float) -> str:
    """An estimate of a time, as exact as one can be."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.{1 if seconds < 36000 else 0}f} h"


def clock_time(seconds: float) -> str:
    """Hours, minutes and seconds, the leading zero units left out."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min" if minutes else f"{rest} s"
