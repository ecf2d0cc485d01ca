"""Second stage: isoconfigurational ensembles, many trajectories from each initial configuration (NVE).

A unit of work is a group of replicas of one sample that advance together. A trajectory does not depend on its group,
so groups are formed anew for any number of ranks.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from mdgen.config import Case
from mdgen.dynamics import Dynamics
from mdgen.neighbors import spatial_order
from mdgen.potentials.pair import PairPotential
from mdgen.schedule import production_blocks
from mdgen.trajectory import Checkpoint, advance, blocks_done
from mdgen.velocities import maxwell_velocities
from runkit.dataset.schema import COMPLETE, FAILED, PENDING
from runkit.dataset.writer import Writer
from runkit.mpi import World
from runkit.progress import Progress

GROUP_SIZES = (32, 16, 8)  # of replicas that advance together, the fastest first
EXPLODED = 0.1  # change of total energy per particle, in units of the temperature, that no sound trajectory shows

Group = tuple[int, list[int]]  # a sample and some of its replicas


def propagate(case: Case, potential: PairPotential, file: Writer, world: World) -> None:
    """Run every replica that the file still lacks: this rank's share of them."""
    groups = world.on_root(_pending_groups, file, world.size)
    blocks = production_blocks(case.production.times, case.integrator.dt)
    mine = [groups[i] for i in world.share(len(groups))]
    total = sum(len(replicas) for _, replicas in mine) * sum(block.n_steps for block in blocks)
    with Progress(world, total, "steps", "propagate") as progress:
        for group in mine:
            _run_group(case, potential, file, group, progress)
    file.sync()


def form_groups(replicas_of: list[list[list[int]]], n_ranks: int) -> list[Group]:
    """Cut each sample's lists of replicas into the largest groups that still give every rank one, where possible."""
    groups: list[Group] = []
    for size in GROUP_SIZES:
        groups = [
            (sample, replicas[i : i + size])
            for sample, lists in enumerate(replicas_of)
            for replicas in lists
            for i in range(0, len(replicas), size)
        ]
        if len(groups) >= n_ranks:
            break
    return groups


def _pending_groups(file: Writer, n_ranks: int) -> list[Group]:
    sound = file.read("equilibrated", ()) == COMPLETE
    pending = (file.read("propagated", ()) == PENDING) & sound[:, None]
    replicas_of = []
    for sample, row in enumerate(pending):
        done = {int(r): blocks_done(file, _resting_place(sample, int(r))) for r in np.flatnonzero(row)}
        in_step = sorted(done, key=lambda r: (done[r], r))  # only replicas at the same time can advance together
        replicas_of.append([list(replicas) for _, replicas in groupby(in_step, key=done.__getitem__)])
    return form_groups(replicas_of, n_ranks)


def _run_group(case: Case, potential: PairPotential, file: Writer, group: Group, progress: Progress) -> None:
    """Run a group to its end; a replica that blows up is marked at once and the others go on."""
    sample, replicas = group
    blocks = production_blocks(case.production.times, case.integrator.dt)
    checkpoint = Checkpoint(file, [_resting_place(sample, r) for r in replicas], case.checkpoint_seconds)
    dynamics = _start(case, potential, file, group)
    energy, sound = _energy(dynamics), np.ones(len(replicas), bool)
    for block in advance(dynamics, blocks, checkpoint):
        progress.advance(block.n_steps * len(replicas))
        lost = sound & ~(np.abs(_energy(dynamics) - energy) <= EXPLODED * case.system.temperature)
        _mark(file, sample, np.array(replicas)[lost], FAILED)
        sound &= ~lost
        if block.snapshot is not None:
            _write_snapshot(file, dynamics, group, block.snapshot)
    if dynamics.statistics["dangerous_builds"]:
        raise RuntimeError(f"sample {sample}: a neighbour list was used beyond its reach")
    drift = _energy(dynamics) - energy
    for replica, value in zip(replicas, drift, strict=True):
        file.write("energy_drift", (sample, replica), value)
    _mark(file, sample, np.array(replicas)[sound], COMPLETE)
    checkpoint.discard()


def _energy(dynamics: Dynamics) -> np.ndarray:
    """Total energy per particle [n_replicas]; not a number for a replica that has blown up."""
    return (dynamics.potential_energy + dynamics.kinetic_energy) / dynamics.n_particles


def _mark(file: Writer, sample: int, replicas: np.ndarray, status: int) -> None:
    for replica in replicas:
        file.mark("propagated", (sample, int(replica)), status)


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


def _write_snapshot(file: Writer, dynamics: Dynamics, group: Group, i_time: int) -> None:
    sample, replicas = group
    values = {
        "position": dynamics.position,
        "potential_energy": dynamics.potential_energy / dynamics.n_particles,
        "kinetic_energy": dynamics.kinetic_energy / dynamics.n_particles,
    }
    for name, of_replica in values.items():
        for replica, value in zip(replicas, of_replica, strict=True):
            file.write(name, (sample, i_time, replica), value)


def _resting_place(sample: int, replica: int) -> str:
    return f"propagate-{sample:05d}-{replica:04d}.npz"
