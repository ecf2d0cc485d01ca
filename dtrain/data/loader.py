"""Which samples a process takes at a step, and batches of them prepared ahead.

Every step takes the next `batch` samples of an endless sequence: the training samples in a new order every epoch. All
follows from seed and step, so that a run goes on exactly where it ended, with any number of processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from runkit.rng import stream

AHEAD = 2  # steps that are prepared while one is computed


class Draw(NamedTuple):
    """A sample in an epoch, with its weight in the mean over micro-batches and processes."""

    epoch: int
    sample: int
    weight: float


@dataclass(frozen=True)
class Order:
    """The endless sequence of training samples of a phase."""

    samples: tuple[int, ...]
    seed: int
    phase: str

    def __getitem__(self, position: int) -> tuple[int, int]:
        """Epoch and sample at a position."""
        epoch, place = divmod(position, len(self.samples))
        return epoch, self.samples[_permutation(self.seed, self.phase, epoch, len(self.samples))[place]]


@lru_cache(maxsize=4)
def _permutation(seed: int, phase: str, epoch: int, n_samples: int) -> tuple[int, ...]:
    return tuple(stream(seed, "order", phase, epoch).permutation(n_samples).tolist())


@dataclass(frozen=True)
class Share:
    """How a step's `batch` samples are dealt to `size` processes, each taking `micro` of them at a time.

    All processes go through the same number of micro-batches; where samples run out, one is repeated with weight 0.
    """

    batch: int
    rank: int
    size: int
    micro: int = 1

    @property
    def n_micro(self) -> int:
        """Micro-batches of every process in a step."""
        return -(-self.batch // (self.size * self.micro))

    def draws(self, order: Order, step: int) -> list[list[Draw]]:
        """The micro-batches of this process; the weights make their mean the mean over the step's samples."""
        start = step * self.batch
        positions = range(start, start + self.batch)[self.rank :: self.size]
        weight = self.n_micro * self.size / self.batch
        draws = [Draw(*order[position], weight) for position in positions]
        draws += [Draw(*order[start], 0.0)] * (self.n_micro * self.micro - len(draws))
        return [draws[i : i + self.micro] for i in range(0, len(draws), self.micro)]


def prefetch(data: Any, order: Order, share: Share, steps: range) -> Iterator[Sequence[tuple[Any, list[float]]]]:
    """For each step its micro-batches, as (batch, weights of its samples); built by a thread beside the computation."""

    def build(step: int) -> list[tuple[Any, list[float]]]:
        return [_build(data, draws) for draws in share.draws(order, step)]

    with ThreadPoolExecutor(1, thread_name_prefix="batches") as builder:
        ready: deque[Future[list[tuple[Any, list[float]]]]] = deque()
        for step in steps:
            ready.append(builder.submit(build, step))
            if len(ready) > AHEAD:
                yield ready.popleft().result()
        while ready:
            yield ready.popleft().result()


def _build(data: Any, draws: Sequence[Draw]) -> tuple[Any, list[float]]:
    batch = data.batch([draw.sample for draw in draws], [draw.epoch for draw in draws])
    return batch, [draw.weight for draw in draws]
