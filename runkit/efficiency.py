"""Where the time of a run goes: on each rank what it computes, waits for others, spends on files, kernels or data.

    with Account() as account:                 # a run
        …                                      # methods that are `counted` add to it
        account.report(world)                  # at its end: least, mean and most of the ranks

What is counted inside of something else counts there alone, so the parts and the computation, which is all that is
left, add up to the run. Only the thread that opened the account counts. Ranks that share a domain wait for each other's
messages inside compiled code: that counts as computation. An account costs less than a microsecond for each call.
"""

from __future__ import annotations

import functools
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec, Protocol, Self, TypeVar

from runkit.log import Rank, say

WAIT, FILE, KERNELS, DATA = "waited", "file", "kernels", "data"  # beside "computed"
PARTS = (WAIT, FILE, KERNELS)  # of a generator
TRAINING = (WAIT, FILE, DATA)
P = ParamSpec("P")
T = TypeVar("T")


class Gathering(Rank, Protocol):
    """The part of a `World` (`runkit.mpi`) that is used here."""

    def gather(self, value: T, root: int = 0) -> list[T] | None:
        """The values of all ranks in their order, on rank `root`; None elsewhere."""


class Account:
    """Seconds of this rank by what they were spent on, from now on; inside of `with` what is `counted` adds to it.

    `parts` are what is told apart; other parts count as computed.
    """

    present: Account | None = None

    def __init__(self, parts: Sequence[str] = PARTS) -> None:
        self._began = time.perf_counter()
        self._thread = threading.get_ident()
        self._inner = 0.0  # seconds of what has ended inside of the part that is open
        self.seconds = dict.fromkeys(parts, 0.0)
        self.n_bytes = 0

    def __enter__(self) -> Self:
        Account.present = self
        return self

    def __exit__(self, *raised: object) -> None:
        Account.present = None

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is done inside counts as `name`."""
        outer, self._inner, began = self._inner, 0.0, time.perf_counter()
        try:
            yield
        finally:
            taken = time.perf_counter() - began
            if name in self.seconds:
                self.seconds[name] += taken - self._inner
            self._inner = outer + (taken if name in self.seconds else self._inner)

    def parts(self) -> list[float]:
        """Seconds since the account was opened: computed, then those of its parts."""
        spent = list(self.seconds.values())
        return [time.perf_counter() - self._began - sum(spent), *spent]

    def report(self, world: Gathering, title: str = "") -> None:
        """Print where the time went, the first line after a title; collective."""
        everyone = world.gather((self.parts(), self.n_bytes, peak_bytes()))
        if everyone is not None:
            parts, n_bytes, peak = zip(*everyone, strict=True)
            for line in table(parts, n_bytes, peak, tuple(self.seconds), title):
                say(world, line)


def counted(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A method whose time counts as `name` while an account is open."""

    def decorated(method: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(method)
        def timed(*arguments: P.args, **options: P.kwargs) -> T:
            account = Account.present
            if account is None or account._thread != threading.get_ident():
                return method(*arguments, **options)
            with account.part(name):
                return method(*arguments, **options)

        return timed

    return decorated


def count_bytes(n_bytes: int) -> None:
    """Bytes that were written to the file."""
    if Account.present is not None:
        Account.present.n_bytes += n_bytes


def table(
    parts: Sequence[Sequence[float]],
    n_bytes: Sequence[int],
    peak: Sequence[int],
    names: Sequence[str] = PARTS,
    title: str = "",
) -> list[str]:
    """Lines from the seconds of each rank (`Account.parts`), the bytes that it wrote, and its largest memory."""
    totals = [sum(of_rank) for of_rank in parts]
    columns = dict(zip(("computed", *names), zip(*parts, strict=True), strict=True))
    written, slowest, computed = sum(n_bytes) / 1e6, max(columns[FILE]), sum(columns["computed"])
    rate = f" for {written:.3g} MB, {written / slowest:.3g} MB/s" if written and slowest else ""
    rows = [(name, values, 1.0, " s" + rate * (name == FILE)) for name, values in columns.items()]
    rows.append(("memory", tuple(peak), 1e6, " MB, the largest"))
    share = f"{100 * computed / sum(totals):.0f} % of {len(parts)} rank(s) x {max(totals):.3g} s computed"
    lines = [f"{title}efficiency: {share}; least, mean, most of a rank:"]
    for name, values, unit, note in rows:
        low, mean, high = min(values) / unit, sum(values) / len(values) / unit, max(values) / unit
        lines.append(f"  {name:<9} {low:9.4g} {mean:9.4g} {high:9.4g}{note}")
    return lines


def peak_bytes() -> int:
    """The largest memory that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
