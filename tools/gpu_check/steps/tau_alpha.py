"""Published configurations to tau_alpha, 32 replicas each, as many as the time allows; their propensity beside ours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.formats import read
from mdgen.initial import Configuration
from mdgen.observables import displacement, reliability
from mdgen.schedule import production_blocks
from tools.benchmarks.liquid import DT
from tools.gpu_check.replicas import Ensemble, equilibrated
from tools.gpu_check.step import Bench, Step, Table
from tools.validate_propensity import agreement, labels

STEP = Step("B", order=10, limit=170, least=60)
TABLES = {
    "agreement": Table(
        "validation",
        "The published propensity, by a GPU",
        {
            "file": "configuration",
            "label": "label",
            "expected": "correlation expected",
            "measured": "measured",
            "theirs": "mean, published",
            "ours": "mean, ours",
            "errors": "difference / standard error",
        },
    ),
    "times": Table(
        "validation",
        "On the way to tau_alpha",
        {
            "time": "time",
            "replicas": "replicas",
            "propensity": "propensity of A",
            "reliability": "its reliability",
            "drift": "mean change of E/N",
            "Ma_per_s": "M/s",
            "wall_s": "wall time, s",
        },
    ),
}
TIMES = (0.13, 1.3, 13.0, 130.0, 412.0, 1300.0, 4120.0)
RESERVE = 0.85  # of the time that is left, for the trajectories themselves
A = 0


def run(bench: Bench) -> None:
    began = time.monotonic()
    starts = _starts(bench)
    n_replicas, times = bench.size(32, 2), bench.size(TIMES, TIMES[:1])
    if not bench.tiny:
        starts = _affordable(bench, starts, n_replicas, began)
    names = list(starts)
    dynamics = Ensemble(list(starts.values()), n_replicas).on(bench.device)
    energy, steps, done, started = dynamics.snapshot().energy_per_particle, 0, 0.0, time.monotonic()
    for block in production_blocks(times, DT):
        dynamics.step(block.n_steps, dt=block.dt)
        steps, done = steps + block.n_steps, done + block.n_steps * block.dt
        if block.snapshot is not None:
            rate = dynamics.n_replicas * dynamics.n_particles * steps / (time.monotonic() - started)
            drift = dynamics.snapshot().energy_per_particle - energy
            figures = {"drift": drift.mean(), "Ma_per_s": rate / 1e6, "wall_s": time.monotonic() - started}
            _record_time(bench, dynamics, list(starts.values()), times[block.snapshot], figures)
        if time.monotonic() - began > bench.seconds - 5:
            bench.record("stopped", time=done)
            break
    else:
        _record_agreement(bench, dynamics.position.astype(np.float64), names, list(starts.values()), n_replicas)
    bench.record("lists", blown_up=len(dynamics.blown_up()), **dynamics.statistics)


def _starts(bench: Bench) -> dict[str, Configuration]:
    """File -> its configuration; without files a liquid, which nothing is to be compared with."""
    return {str(path): read(path)[0] for path in bench.configurations()} or {"": equilibrated(bench)}


def _affordable(bench: Bench, starts: dict, n_replicas: int, began: float) -> dict:
    """As many as come to the last time before the step is over, by the rate of a short trial of each number."""
    for n in range(len(starts), 0, -1):
        chosen = dict(list(starts.items())[:n])
        dynamics = Ensemble(list(chosen.values()), n_replicas).on(bench.device)
        dynamics.step(500)
        timed = time.monotonic()
        dynamics.step(2000)
        needed = (time.monotonic() - timed) / 2000 * TIMES[-1] / DT
        bench.record("trial", configurations=n, expected_s=needed)
        if n == 1 or needed < RESERVE * (bench.seconds - (time.monotonic() - began)):
            break
    return chosen


def _record_time(bench: Bench, dynamics: Dynamics, starts: Sequence[Configuration], when: float, figures: dict) -> None:
    """What the particles have done by then: means over configurations."""
    n_replicas = dynamics.n_replicas // len(starts)
    moves = []
    for c, start in enumerate(starts):
        position = dynamics.position[c * n_replicas : (c + 1) * n_replicas]
        moves.append(displacement(position, start.position)[:, start.species == A])
    known = {
        "propensity": np.mean([each.mean() for each in moves]),
        "reliability": np.mean(list(map(reliability, moves))),
    }
    bench.record("times", time=when, replicas=dynamics.n_replicas, **known, **figures)


def _record_agreement(
    bench: Bench, position: np.ndarray, names: Sequence[str], starts: Sequence[Configuration], n_replicas: int
) -> None:
    """Labels of ours beside those of the published positions, which are at the last time."""
    for c, (name, start) in enumerate(zip(names, starts, strict=True)):
        if not name:
            continue
        ours = position[c * n_replicas : (c + 1) * n_replicas]
        with np.load(name, allow_pickle=False) as file:
            theirs = file["positions"].astype(np.float64)
        for label, (mine, published) in labels(start, ours, theirs).items():
            found = agreement(mine, published)
            errors = abs(found.ours - found.theirs) / found.error
            bench.record("agreement", file=Path(name).name, label=label, errors=errors, **found._asdict())
