"""Second stage: isoconfigurational ensembles, many trajectories from each initial configuration (NVE).

A unit of work is a replica; groups of them advance together, of one sample on the CPU, of many on a GPU. A trajectory
does not depend on its group, so groups are formed anew for any number of ranks.
"""

from __future__ import annotations

from operator import itemgetter

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.groups import GroupSize
from mdgen.neighbors import spatial_order
from mdgen.schedule import Schedule, production_blocks
from mdgen.snapshot import Snapshot
from mdgen.soundness import exploded
from mdgen.trajectory import Checkpoint, Run, Written, advance
from mdgen.velocities import maxwell_velocities
from runkit.arrays import F64, I32, I64, Bools
from runkit.dataset.schema import COMPLETE, FAILED, PENDING
from runkit.dataset.verify import require_sound
from runkit.dataset.writer import Writer
from runkit.progress import Progress

GROUP_SIZE = GroupSize(8, 32)  # of replicas on the CPU: the lanes of a vector; four such, regrouped as they diverge

Replica = tuple[int, int]  # number of the sample, number of the trajectory


def propagate(run: Run) -> None:
    """Run every replica that the file still lacks: this rank's share of them."""
    blocks = production_blocks(run.config.production.times, run.config.integrator.dt)
    mine = run.groups(_pending(run), checkpoint_name, kind=itemgetter(0), size=GROUP_SIZE)
    n_steps = run.steps_left(mine, checkpoint_name, blocks)
    with Progress(run.world, n_steps, "steps", "propagate") as progress:
        for group in mine:
            run.stop.here()
            _run_group(run, group, blocks, progress)


def _pending(run: Run) -> list[Replica]:
    """Replicas of sound samples that are still to be run, on all ranks; collective."""

    def find() -> list[Replica]:
        sound = run.file.read("equilibrated", ()) == COMPLETE
        pending = (run.file.read("propagated", ()) == PENDING) & sound[:, None]
        return [(int(sample), int(replica)) for sample, replica in np.argwhere(pending)]

    return run.world.on_root(find)


def _run_group(run: Run, group: list[Replica], blocks: Schedule, progress: Progress) -> None:
    """Run a group to its end; a replica that blows up is marked after its block, the others go on."""
    names, period = [checkpoint_name(unit) for unit in group], run.config.checkpoint_seconds
    checkpoint = Checkpoint(run.file, names, period, _written(run.file, group, blocks))
    dynamics = _start(run, group)
    energy, sound = dynamics.snapshot().energy_per_particle, np.ones(len(group), bool)
    for block, reached in advance(dynamics, blocks, checkpoint, run.stop):
        progress.advance(block.n_steps * len(group))
        lost = sound & exploded(reached.energy_per_particle, energy, run.config.system.temperature)
        _mark(run.file, group, lost, FAILED)
        sound &= ~lost
        if block.snapshot is not None:
            _write_snapshot(run.file, reached, group, sound, block.snapshot)
    if dynamics.statistics["dangerous_builds"]:
        raise RuntimeError(f"samples {sorted({unit[0] for unit in group})}: a neighbour list was used beyond its reach")
    drift = dynamics.snapshot().energy_per_particle - energy
    for k in np.flatnonzero(sound):
        run.file.write("energy_drift", group[k], drift[k])
    _mark(run.file, group, sound, COMPLETE)
    checkpoint.discard()
    run.stop.keep(len(group))


def _mark(file: Writer, group: list[Replica], which: Bools, status: int) -> None:
    for k in np.flatnonzero(which):
        file.mark("propagated", group[k], status)


def _start(run: Run, group: list[Replica]) -> Dynamics:
    config, start = run.config, {sample: _read_start(run.file, sample) for sample, _ in group}
    position, species, box, order, temperature = zip(*(start[sample] for sample, _ in group), strict=True)
    velocity = [
        maxwell_velocities(len(position[0]), each, config.seed, *unit)
        for each, unit in zip(temperature, group, strict=True)
    ]
    return Dynamics(
        position,
        velocity,
        species,
        box,
        run.potential,
        config.integrator.dt,
        precision=config.integrator.precision,
        order=order,
        device=run.device,
    )


def _read_start(file: Writer, sample: int) -> tuple[F64, I32, F64, I64, float]:
    """Position, species, box, order of summation and temperature of a sample."""
    require_sound(file, "equilibrated", (sample,))
    position, species, box = (file.read(name, (sample,)) for name in ("initial_position", "species", "box"))
    return position, species, box, spatial_order(position, box), float(file.read("temperature", (sample,)))


def _written(file: Writer, group: list[Replica], blocks: Schedule) -> Written | None:
    """Checksums of the snapshots that a replica of a group has after some blocks."""
    sums = file.checksums
    if sums is None:
        return None
    return lambda k, n_blocks: sums.of("propagated", group[k], PENDING, {"time": blocks.snapshots_in(n_blocks)})


def _write_snapshot(file: Writer, reached: Snapshot, group: list[Replica], sound: Bools, i_time: int) -> None:
    """Of replicas that are sound: others have their last status."""
    position = reached.position
    values = {
        "position": position,
        "potential_energy": reached.potential_energy / position.shape[1],
        "kinetic_energy": reached.kinetic_energy / position.shape[1],
    }
    for name, of_group in values.items():
        for k in np.flatnonzero(sound):
            sample, replica = group[k]
            file.write(name, (sample, i_time, replica), of_group[k])


def checkpoint_name(unit: Replica) -> str:
    return "propagate-{:05d}-{:04d}.npz".format(*unit)
