"""How fast a training goes, and how much of its time it waits for data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import torch

from dtrain.estimate import Cost, peak_memory, peak_rate
from dtrain.ranks import Ranks
from runkit.dataset.layout import in_units


class Pace(NamedTuple):
    """Steps, their seconds, those of them in which the host waited for a batch, and seconds of processors meanwhile."""

    n_steps: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    computed: float = 0.0

    @staticmethod
    def summary(of_ranks: Sequence[Pace]) -> dict[str, float]:
        """Milliseconds of a step and the share of them that was waited, where most was; {} if no step was timed.

        `processor_ms`: milliseconds of processors in a step, of all threads of a process, in the mean of processes.
        """
        worst = max(of_ranks, key=lambda pace: pace.waited)
        if not worst.n_steps:
            return {}
        computed = sum(pace.computed for pace in of_ranks) / len(of_ranks)
        return {
            "step_ms": 1e3 * worst.seconds / worst.n_steps,
            "processor_ms": 1e3 * computed / worst.n_steps,
            "waited": worst.waited / worst.seconds,
        }


def efficiency_of(
    ranks: Ranks, pace: Pace, batch: int, cost: Cost | None, dtype: torch.dtype
) -> tuple[dict[str, float], str]:
    """Figures of a phase's steps, and the same in words ("" if none was timed); collective.

    They are `Pace.summary` and `samples_per_s`; `flops` of all devices, and `of_peak`, their share of the rate at which
    these multiply matrices, if root has the `cost` of a sample; `memory_bytes`, the largest of a device.
    """
    if not pace.n_steps:  # the same number on all ranks
        return {}, ""
    memory = peak_memory(ranks.device)  # first: the matrices that measure the rate are not the training's
    own = pace, peak_rate(ranks.device, dtype), memory
    paces, rates, memories = zip(*ranks.all_gather(own), strict=True)
    found = Pace.summary(paces)
    found |= {"samples_per_s": 1e3 * batch / found["step_ms"], "memory_bytes": float(max(memories))}
    message = f"{found['step_ms']:.4g} ms per step, {found['processor_ms']:.4g} of processors; "
    message += f"{found['samples_per_s']:.4g} samples/s, "
    if cost is not None:
        found |= {"flops": found["samples_per_s"] * cost.n_operations}
        found |= {"of_peak": found["flops"] / sum(rates)}
        share = f"{100 * found['of_peak']:.3g} % of the speed of matrix products"
        message += f"{found['flops'] / 1e9:.4g} GFLOP/s, {share}, "
    waited = f"at most {100 * found['waited']:.2g} % of the time waiting for data"
    return found, f"{message}{waited}; memory: {in_units(found['memory_bytes'])} at most"


def waiting_in_words(paces: Mapping[str, Mapping[str, float]]) -> str:
    """How much of the time of steps went by in waiting for data, in the phase where most did; "" if none was timed."""
    shares = {name: pace["waited"] for name, pace in paces.items() if pace}
    if not shares:
        return ""
    worst = max(shares, key=lambda name: shares[name])
    return f"; steps waited for data at most {100 * shares[worst]:.2g} % of their time (phase {worst})"


class Waiting(Protocol):
    """What gives batches, and counts the seconds in which a step had to wait for one."""

    waited: float


class Stopwatch:
    """Times the steps of a phase; the first one (compilation, first samples) and validations are left out.

    A step ends when the host goes on to the next one. A GPU may be behind, so the time in which it lacks data is at
    most the time that the host waits; the mean over steps is exact, because every report waits for the GPU.
    """

    def __init__(self, feed: Waiting) -> None:
        self._feed, self.pace = feed, Pace()
        self._began: tuple[float, float, float] | None = None

    def step_is_over(self) -> None:
        """Count the step, if its beginning was seen, and begin the next one."""
        now = self._now()
        if self._began is not None:
            taken = (end - begin for end, begin in zip(now, self._began, strict=True))
            sums = (whole + part for whole, part in zip(self.pace[1:], taken, strict=True))
            self.pace = Pace(self.pace.n_steps + 1, *sums)
        self._began = now

    def leave_out(self) -> None:
        """What was done since the last step is not training; the next step begins now."""
        if self._began is not None:
            self._began = self._now()

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), self._feed.waited, time.process_time()
