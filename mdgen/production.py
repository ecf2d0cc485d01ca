"""Second stage: isoconfigurational ensembles, many trajectories from each initial configuration (NVE).

A unit of work is a group of replicas of one sample that advance together. A trajectory does not depend on its group,
so groups are formed anew for any number of ranks.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np

from mdgen.config import Case
from mdgen.dynamics import Dynamics
from mdgen.neighbors import spatial_order
from mdgen.potentials.pair import PairPotential
from mdgen.schedule import production_blocks
from mdgen.trajectory import Checkpoint, Failed, advance, blocks_done, record_failure, scratch
from mdgen.velocities import maxwell_velocities
from runkit.dataset.schema import COMPLETE, FAILED, PENDING
from runkit.dataset.writer import Writer
from runkit.mpi import World
from runkit.progress import Progress

LANES = (32, 16, 8)  # sizes of a full group, the fastest first
EXPLODED = 0.1  # change of total energy per particle, in units of the temperature, that no sound trajectory shows

Group = tuple[int, list[int]]  # a sample and some of its replicas


def propagate(case: Case, potential: PairPotential, file: Writer, world: World) -> None:
    """Run every replica that the file still lacks: this rank's share of them."""
    groups = world.on_root(_pending_groups, file, world.size)
    blocks = production_blocks(case.production.times, case.integrator.dt)
    mine = [groups[i] for i in world.share(len(groups))]
    total = sum(len(replicas) for _, replicas in mine) * sum(block.n_steps for block in blocks)
    with Progress(world, total, "steps", "propagate") as progress:
        for sample, replicas in mine:
            try:
                _run_group(case, potential, file, (sample, replicas), progress)
            except Failed as failure:
                record_failure(file, sample, f"replica {replicas[failure.replica]}: {failure.reason}")
                for replica in replicas:
                    file.mark("propagated", (sample, replica), FAILED)
    file.sync()


def form_groups(replicas_of: list[list[list[int]]], n_ranks: int) -> list[Group]:
    """Cut each sample's lists of replicas into the largest groups that still give every rank one, where possible."""
    groups: list[Group] = []
    for lanes in LANES:
        groups = [
            (sample, replicas[i : i + lanes])
            for sample, lists in enumerate(replicas_of)
            for replicas in lists
            for i in range(0, len(replicas), lanes)
        ]
        if len(groups) >= n_ranks:
            break
    return groups


def _pending_groups(file: Writer, n_ranks: int) -> list[Group]:
    sound = file.read("equilibrated", ()) == COMPLETE
    pending = (file.read("propagated", ()) == PENDING) & sound[:, None]
    replicas_of = []
    for sample, row in enumerate(pending):
        done = {int(r): blocks_done(_resting_place(file, sample, int(r))) for r in np.flatnonzero(row)}
        in_step = sorted(done, key=lambda r: (done[r], r))  # only replicas at the same time can advance together
        replicas_of.append([list(replicas) for _, replicas in groupby(in_step, key=done.__getitem__)])
    return form_groups(replicas_of, n_ranks)


def _run_group(case: Case, potential: PairPotential, file: Writer, group: Group, progress: Progress) -> None:
    sample, replicas = group
    blocks = production_blocks(case.production.times, case.integrator.dt)
    checkpoint = Checkpoint([_resting_place(file, sample, r) for r in replicas], case.checkpoint_seconds)
    dynamics = _start(case, potential, file, group)
    energy = dynamics.potential_energy + dynamics.kinetic_energy
    for block in advance(dynamics, blocks, checkpoint):
        progress.advance(block.n_steps * len(replicas))
        if block.snapshot is not None:
            drift = dynamics.potential_energy + dynamics.kinetic_energy - energy
            _check_drift(drift / dynamics.n_particles, case.system.temperature)
            _write_snapshot(file, dynamics, group, block.snapshot)
    for k, replica in enumerate(replicas):
        file.write("energy_drift", (sample, replica), drift[k] / dynamics.n_particles)
        file.mark("propagated", (sample, replica), COMPLETE)
    checkpoint.discard()


def _start(case: Case, potential: PairPotential, file: Writer, group: Group) -> Dynamics:
    sample, replicas = group
    position, box = file.read("initial_position", (sample,)), file.read("box", (sample,))
    temperature = float(file.read("temperature", (sample,)))
    velocity = [maxwell_velocities(len(position), temperature, case.seed, sample, replica) for replica in replicas]
    return Dynamics(
        np.repeat(position[None], len(replicas), axis=0),
        np.stack(velocity),
        file.read("species", (sample,)),
        box,
        potential,
        case.integrator.dt,
        precision=case.integrator.precision,
        order=spatial_order(position, box),
    )


def _check_drift(drift: np.ndarray, temperature: float) -> None:
    worst = int(np.argmax(np.abs(drift)))
    if abs(drift[worst]) > EXPLODED * temperature:
        raise Failed(worst, f"total energy per particle changed by {drift[worst]:.3g} epsilon")


def _write_snapshot(file: Writer, dynamics: Dynamics, group: Group, i_time: int) -> None:
    sample, replicas = group
    position = dynamics.position
    for k, replica in enumerate(replicas):
        where = (sample, i_time, replica)
        file.write("position", where, position[k])
        file.write("potential_energy", where, dynamics.potential_energy[k] / dynamics.n_particles)
        file.write("kinetic_energy", where, dynamics.kinetic_energy[k] / dynamics.n_particles)


def _resting_place(file: Writer, sample: int, replica: int) -> Path:
    return scratch(file) / f"propagate-{sample:05d}-{replica:04d}.npz"
