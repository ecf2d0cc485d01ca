"""First stage: one independent initial configuration per sample, with its inherent structure.

A sample is cooled from a melt and held at its temperature (NVT), or taken as given from a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mdgen.config import RunConfig
from mdgen.dynamics import Dynamics
from mdgen.groups import GroupSize
from mdgen.initial import Configuration, melt, wrap
from mdgen.minimize import Minimum, inherent_structures
from mdgen.neighbors import spatial_order
from mdgen.schedule import Schedule, cooling_blocks
from mdgen.soundness import is_canonical
from mdgen.thermostats import Thermostat, thermostat
from mdgen.trajectory import Checkpoint, Run, advance
from mdgen.velocities import maxwell_velocities
from runkit.arrays import F64
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.dataset.writer import Writer
from runkit.progress import Progress
from runkit.rng import stream

GROUP_SIZE = GroupSize(1, 1)  # of samples on the CPU
SETTLED = 5  # relaxation times of the thermostat after which a hold must have its temperature
MELT = -1  # key of the velocity draw of the melt, beside those of the replicas 0, 1, …


class Failed(NamedTuple):
    """A sample that cannot be made."""

    reason: str


LOST = Failed("positions or velocities are not finite")


def equilibrate(run: Run, given: list[Configuration]) -> None:
    """Make every initial configuration that the file still lacks: this rank's share of them."""
    config, file = run.config, run.file
    pending = [sample for (sample,) in file.pending("equilibrated")]
    mine = run.groups(pending, checkpoint_name, kind=int, size=GROUP_SIZE)
    blocks = Schedule() if given else cooling_blocks(config.initial, config.system.temperature, config.integrator.dt)
    amount = (sum(map(len, mine)), "samples") if given else (run.steps_left(mine, checkpoint_name, blocks), "steps")
    with Progress(run.world, *amount, "equilibrate") as progress:
        for samples in mine:
            run.stop.here()
            starts = [given[sample] for sample in samples] if given else _cool(run, samples, blocks, progress)
            _finish(run, samples, starts)
            if given:
                progress.advance(len(samples))


def _cool(run: Run, samples: list[int], blocks: Schedule, progress: Progress) -> list[Configuration | Failed]:
    """Melts, cooled and held (NVT), or why one cannot be used."""
    system, seed = run.config.system, run.config.seed
    starts = [melt(system.n_particles, system.composition, system.density, seed, sample) for sample in samples]
    dynamics = _melts(run, samples, starts)
    checkpoint = _checkpoint(run.file, samples, run.config.checkpoint_seconds)
    for block, reached in advance(dynamics, blocks, checkpoint, run.stop):
        progress.advance(block.n_steps * len(samples))
        if len(reached.blown_up()) == len(samples):  # the next block is under way
            return [LOST] * len(samples)
    return [_taken(run.config, *each) for each in zip(starts, dynamics.position, dynamics.kinetic_energy, strict=True)]


def _taken(config: RunConfig, start: Configuration, position: F64, kinetic_energy: float) -> Configuration | Failed:
    """The sample at the end of its hold, or why it is none."""
    if not np.isfinite(kinetic_energy):
        return LOST
    freedom, temperature, initial = degrees_of_freedom(config), config.system.temperature, config.initial
    is_held = initial.hold_time >= SETTLED * initial.relaxation_time
    if is_held and not is_canonical(kinetic_energy, freedom, temperature):
        measured = 2 * kinetic_energy / freedom
        return Failed(f"kinetic temperature {measured:.4g} after the hold, not {temperature:g}: the thermostat fails")
    return replace(start, position=wrap(position, start.box))


def _melts(run: Run, samples: list[int], starts: list[Configuration]) -> Dynamics:
    """The start of all samples of a group, each with its own thermostat."""
    config, n_particles, temperature = run.config, run.config.system.n_particles, run.config.initial.temperature
    return Dynamics(
        [start.position for start in starts],
        [maxwell_velocities(n_particles, temperature, config.seed, sample, MELT) for sample in samples],
        [start.species for start in starts],
        [start.box for start in starts],
        run.potential,
        config.integrator.dt,
        precision=config.integrator.precision,
        thermostat=melt_thermostat(config, samples),
        order=[spatial_order(start.position, start.box) for start in starts],
        device=run.device,
    )


def melt_thermostat(config: RunConfig, samples: list[int]) -> Thermostat:
    """The thermostat of melts: each has its own values and random numbers."""
    return thermostat.build(
        config.initial.thermostat,
        temperature=config.initial.temperature,
        relaxation_time=config.initial.relaxation_time,
        dt=config.integrator.dt,
        degrees_of_freedom=degrees_of_freedom(config),
        streams=[stream(config.seed, "thermostat", sample) for sample in samples],
    )


def degrees_of_freedom(config: RunConfig) -> int:
    """Of a sample whose total momentum is at rest."""
    return 3 * config.system.n_particles - 3


def _finish(run: Run, samples: list[int], starts: Sequence[Configuration | Failed]) -> None:
    """Write samples with their energy minima, or mark those that cannot be made."""
    sound = {k: start for k, start in zip(samples, starts, strict=True) if isinstance(start, Configuration)}
    minima = dict(zip(sound, inherent_structures(list(sound.values()), run.potential, run.device), strict=True))
    for sample, start in zip(samples, starts, strict=True):
        if isinstance(start, Failed):
            _fail(run, sample, start.reason)
        elif not minima[sample].converged:
            _fail(run, sample, f"no energy minimum within {minima[sample].n_iterations} iterations")
        else:
            _write_sample(run, sample, start, minima[sample])
    run.stop.keep(len(samples))


def _fail(run: Run, sample: int, reason: str) -> None:
    run.file.write_text("failure", (sample,), f"equilibration: {reason}")
    run.file.mark("propagated", (sample,), FAILED)
    run.file.mark("equilibrated", (sample,), FAILED)


def _write_sample(run: Run, sample: int, start: Configuration, inherent: Minimum) -> None:
    """The configuration and the nearest minimum of its energy; marks the sample complete."""
    n_particles = len(start.position)
    fields: dict[str, Any] = {
        "species": start.species,
        "box": start.box,
        "initial_position": start.position,
        "initial_energy": inherent.start_energy / n_particles,
        "inherent_position": inherent.position,
        "inherent_energy": inherent.energy / n_particles,
    }
    for name, values in fields.items():
        run.file.write(name, (sample,), values)
    run.file.mark("equilibrated", (sample,), COMPLETE)
    _checkpoint(run.file, [sample]).discard()


def _checkpoint(file: Writer, samples: list[int], period: float = 0.0) -> Checkpoint:
    return Checkpoint(file, [checkpoint_name(sample) for sample in samples], period)


def checkpoint_name(sample: int) -> str:
    return f"equilibrate-{sample:05d}.npz"
