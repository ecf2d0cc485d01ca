"""Which samples a process takes at a step, and batches of them prepared ahead on its device.

Every step takes the next `batch` samples of an endless sequence: the training samples in a new order every epoch. All
follows from seed and step, so that a run goes on exactly where it ended, with any number of processes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from dtrain.data import Batch, Batches
from dtrain.data.tensors import numbers
from runkit.efficiency import DATA, counted
from runkit.rng import stream

AHEAD = 2  # steps that are prepared while one is computed
MOST_BUILDERS = 4  # threads that prepare them beside a GPU
T = TypeVar("T")


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
    """How a step's `batch` samples are dealt to `size` processes, each taking `micro_batch` of them at a time.

    All processes go through the same number of micro-batches; where samples run out, one is repeated with weight 0.
    """

    batch: int
    rank: int
    size: int
    micro_batch: int = 1

    @property
    def n_micro_batches(self) -> int:
        """Micro-batches of every process in a step."""
        return -(-self.batch // (self.size * self.micro_batch))

    def draws(self, order: Order, step: int) -> list[list[Draw]]:
        """The micro-batches of this process; the weights make their mean the mean over the step's samples."""
        start = step * self.batch
        positions = range(start, start + self.batch)[self.rank :: self.size]
        weight = self.n_micro_batches * self.size / self.batch
        draws = [Draw(*order[position], weight) for position in positions]
        draws += [Draw(*order[start], 0.0)] * (self.n_micro_batches * self.micro_batch - len(draws))
        return [draws[i : i + self.micro_batch] for i in range(0, len(draws), self.micro_batch)]


Step: TypeAlias = list[tuple[Batch, Tensor]]  # micro-batches, each with the weights of its samples


class Feed(Generic[Batch]):
    """Batches of a data set on a device, formed by threads beside the computation, on a GPU on a stream of its own.

    `waited` counts the seconds in which a step was due and its batch was not ready.
    """

    def __init__(self, data: Batches[Batch], device: torch.device) -> None:
        self.data, self.device, self.waited = data, device, 0.0
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        # The network itself computes on the cores of the CPU; beside a GPU they are free.
        self._n_builders = 1 if self._stream is None else min(MOST_BUILDERS, torch.get_num_threads())

    @counted(DATA)
    def batch(self, samples: Sequence[int]) -> Batch:
        """Samples as they are in the file, as one batch."""
        return self._received(self._on_stream(lambda: [(self.data.batch(samples), torch.empty(0))]))[0][0]

    def steps(self, order: Order, share: Share, steps: range) -> Iterator[Step[Batch]]:
        """The micro-batches of this process for each step, augmented."""

        def build(step: int) -> tuple[Step[Batch], torch.Event | None]:
            return self._on_stream(lambda: [self._built(draws) for draws in share.draws(order, step)])

        for made in ahead(build, steps, self._n_builders, self._wait):
            yield self._received(made)

    @counted(DATA)
    def _wait(self, ready: Future[tuple[Step[Batch], torch.Event | None]]) -> tuple[Step[Batch], torch.Event | None]:
        began = time.perf_counter()
        made = ready.result()
        self.waited += time.perf_counter() - began
        return made

    def _built(self, draws: Sequence[Draw]) -> tuple[Batch, Tensor]:
        batch = self.data.batch([draw.sample for draw in draws], [draw.epoch for draw in draws])
        return batch, numbers([draw.weight for draw in draws], self.device)

    def _on_stream(self, form: Callable[[], Step[Batch]]) -> tuple[Step[Batch], torch.Event | None]:
        """What is formed, and the event on a GPU after which it is there."""
        if self._stream is None:
            return form(), None
        with torch.cuda.stream(self._stream):
            return form(), self._stream.record_event()

    def _received(self, made: tuple[Step[Batch], torch.Event | None]) -> Step[Batch]:
        """Batches that the present stream may use: it waits for them, not the host."""
        step, event = made
        if event is not None:
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(event)
            for batch, weights in step:
                for tensor in (*batch.tensors().values(), weights):
                    if tensor.is_cuda:
                        tensor.record_stream(stream)  # or its memory would be used again before the step is over
        return step


def ahead(
    make: Callable[[int], T], steps: range, n_threads: int, wait: Callable[[Future[T]], T] = Future.result
) -> Iterator[T]:
    """What is made for each step, in their order, while threads make what comes next."""
    with ThreadPoolExecutor(n_threads, thread_name_prefix="batches") as builders:
        ready: deque[Future[T]] = deque()
        for step in steps:
            ready.append(builders.submit(make, step))
            if len(ready) > AHEAD + n_threads - 1:
                yield wait(ready.popleft())
        while ready:
            yield wait(ready.popleft())
