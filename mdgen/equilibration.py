"""First stage: one independent initial configuration per sample, with its inherent structure.

A sample is cooled from a melt and held at its temperature (NVT), or taken as given from a file.
"""

from __future__ import annotations

from dataclasses import replace

from mdgen.api import evaluate
from mdgen.config import Case
from mdgen.dynamics import Dynamics
from mdgen.initial import Configuration, melt, wrap
from mdgen.minimize import inherent_structure
from mdgen.neighbors import spatial_order
from mdgen.potentials.pair import PairPotential
from mdgen.schedule import cooling_blocks
from mdgen.thermostats import thermostat
from mdgen.trajectory import Checkpoint, advance
from mdgen.velocities import maxwell_velocities
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.dataset.writer import Writer
from runkit.mpi import World
from runkit.progress import Progress
from runkit.rng import stream

MELT = -1  # key of the velocity draw of the melt, beside those of the replicas 0, 1, …


class Failed(Exception):
    """A sample that cannot be made, with the reason."""


def equilibrate(
    case: Case, potential: PairPotential, given: list[Configuration], file: Writer, world: World
) -> None:
    """Make every initial configuration that the file still lacks: this rank's share of them."""
    pending = [sample for (sample,) in file.pending("equilibrated")]
    mine = [pending[i] for i in world.share(len(pending))]
    blocks = [] if given else cooling_blocks(case.initial, case.system.temperature, case.integrator.dt)
    total = len(mine) * sum(block.n_steps for block in blocks)
    with Progress(world, total or len(mine), "steps" if total else "samples", "equilibrate") as progress:
        for sample in mine:
            try:
                start = given[sample] if given else _cool(case, potential, file, sample, progress)
                _write_sample(potential, file, sample, start)
            except Failed as failure:
                file.write_text("failure", (sample,), f"equilibration: {failure}")
                file.mark("propagated", (sample,), FAILED)
                file.mark("equilibrated", (sample,), FAILED)
            if given:
                progress.advance(1)
    file.sync()


def _cool(case: Case, potential: PairPotential, file: Writer, sample: int, progress: Progress) -> Configuration:
    """A melt, cooled and held; NVT."""
    settings = case.initial
    system, n_particles = case.system, case.system.n_particles
    start = melt(n_particles, system.composition, system.density, case.seed, sample)
    bath = thermostat.build(
        settings.thermostat,
        temperature=settings.temperature,
        relaxation_time=settings.relaxation_time,
        dt=case.integrator.dt,
        degrees_of_freedom=3 * n_particles - 3,
        streams=[stream(case.seed, "thermostat", sample)],
    )
    velocity = maxwell_velocities(n_particles, settings.temperature, case.seed, sample, MELT)
    dynamics = Dynamics(
        start.position[None],
        velocity[None],
        start.species,
        start.box,
        potential,
        case.integrator.dt,
        precision=case.integrator.precision,
        thermostat=bath,
        order=spatial_order(start.position, start.box),
    )
    blocks = cooling_blocks(settings, system.temperature, case.integrator.dt)
    for block in advance(dynamics, blocks, _checkpoint(file, sample, case.checkpoint_seconds)):
        progress.advance(block.n_steps)
        if len(dynamics.blown_up()):
            raise Failed("positions or velocities are not finite")
    return replace(start, position=wrap(dynamics.position[0], start.box))


def _write_sample(potential: PairPotential, file: Writer, sample: int, start: Configuration) -> None:
    """The configuration and the nearest minimum of its energy; marks the sample complete."""
    n_particles = len(start.position)
    energy = evaluate(start.position, start.species, start.box, potential).energy
    inherent = inherent_structure(start, potential)
    if not inherent.converged:
        raise Failed(f"no energy minimum within {inherent.n_iterations} iterations")
    for name, values in {
        "species": start.species,
        "box": start.box,
        "initial_position": start.position,
        "initial_energy": energy / n_particles,
        "inherent_position": inherent.position,
        "inherent_energy": inherent.energy / n_particles,
    }.items():
        file.write(name, (sample,), values)
    file.mark("equilibrated", (sample,), COMPLETE)
    _checkpoint(file, sample).discard()


def _checkpoint(file: Writer, sample: int, period: float = 0.0) -> Checkpoint:
    return Checkpoint(file, [f"equilibrate-{sample:05d}.npz"], period)
