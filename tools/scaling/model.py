"""Time of a data set on any number of workers: the slowest worker of each stage, as the programs share out their units.

Stages follow each other, with all workers at each: `equilibrate` (unit: a sample), `propagate` (unit: a replica, on
cores at least `least` of them together), `label` (unit: a sample). Workers exchange nothing within a stage, so what a
stage loses is the rest of the division, workers without a unit, and workers whose units are too few to fill them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mdgen.config import RunConfig
from mdgen.resolve import dimensions, potential_of
from mdgen.schedule import cooling_blocks, production_blocks
from runkit.config import load
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.layout import n_bytes
from tools.scaling.machine import Machine


class Work(NamedTuple):
    """The work of a case: steps of one sample and of one replica, `interval` seconds between checkpoints."""

    name: str
    n_samples: int
    n_replicas: int
    n_particles: int
    n_times: int
    cooling_steps: int
    production_steps: int
    file_bytes: float
    interval: float

    @classmethod
    def of(cls, path: Path | str) -> Work:
        """The work of a configuration file of mdgen."""
        config = load(RunConfig, path, [])
        sizes = dimensions(config, potential_of(config), [])
        return cls(
            Path(path).stem,
            sizes["sample"],
            sizes["replica"],
            sizes["particle"],
            sizes["time"],
            cooling_blocks(config.initial, config.system.temperature, config.integrator.dt).steps_after(),
            production_blocks(config.production.times, config.integrator.dt).steps_after(),
            float(n_bytes(ISOCONFIG, sizes)),
            config.checkpoint_seconds,
        )


class Forecast(NamedTuple):
    """Seconds of the stages on `n_workers`.

    `together` counts replicas of a worker, `bandwidth` bytes per second that the file gets while it is written to in
    the production, `checkpoints` files per second.
    """

    n_workers: int
    start: float
    equilibrate: float
    propagate: float
    label: float
    disk: float
    together: int
    bandwidth: float
    checkpoints: float

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return self.start + self.equilibrate + self.propagate + self.label + self.disk


def forecast(work: Work, machine: Machine, n_workers: int) -> Forecast:
    """The time of a case on workers of one kind."""
    samples = -(-work.n_samples // n_workers)
    pieces = -(-work.n_replicas // machine.least) * work.n_samples
    replicas = min(-(-pieces // n_workers) * machine.least, work.n_samples * work.n_replicas)
    grouped = 1 if machine.worker == "core" else machine.most  # samples that are cooled together
    equilibrate = work.cooling_steps * _sweep(machine, samples, grouped, work.n_particles)
    propagate = work.production_steps * _sweep(machine, replicas, machine.most, work.n_particles)
    label = samples * machine.label * work.n_particles * work.n_replicas * work.n_times
    disk = work.file_bytes / min(machine.disk, n_workers * machine.stream)
    busy = min(n_workers, pieces)
    in_flight = min(replicas, machine.most) * busy
    return Forecast(
        n_workers, machine.start, equilibrate, propagate, label, disk, replicas,
        work.file_bytes / propagate, in_flight / max(work.interval, 1.0),
    )  # fmt: skip


def _sweep(machine: Machine, n_units: int, most: int, n_particles: int) -> float:
    """One step of all units of a worker, group after group, groups as even as they can be."""
    n_groups = -(-n_units // most)
    small, n_larger = divmod(n_units, n_groups)
    larger = machine.step_seconds(small + 1, n_particles) if n_larger else 0.0
    return n_larger * larger + (n_groups - n_larger) * machine.step_seconds(small, n_particles)


def total(forecasts: list[Forecast]) -> float:
    """Seconds of cases one after another."""
    return sum(each.seconds for each in forecasts)


def where_it_goes(forecasts: list[Forecast], one: list[Forecast]) -> dict[str, float]:
    """Seconds beyond the time of one worker over the number of workers, by stage."""
    n = forecasts[0].n_workers
    return {
        stage: sum(getattr(each, stage) - getattr(alone, stage) / n for each, alone in zip(forecasts, one, strict=True))
        for stage in ("start", "equilibrate", "propagate", "label", "disk")
    }


def training_step(computed: float, n_workers: int, exchange: tuple[float, float], messages: Sequence[float]) -> float:
    """Seconds of a step: those of the samples of the fullest process, then sums over processes, each round a ring.

    `exchange` is latency [s] and bandwidth [bytes/s] of a message between two processes, `messages` the bytes of each
    sum: gradients, and statistics of a batch.
    """
    latency, bandwidth = exchange
    around = 2 * (n_workers - 1)
    return computed + around * sum(latency + n_bytes / n_workers / bandwidth for n_bytes in messages)
