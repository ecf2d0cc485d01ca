"""Molecular dynamics on the CPU beside LAMMPS: million atom-steps per second of a core's processor time.

Units: Lennard-Jones.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.initial import Configuration, wrap
from mdgen.neighbors import spatial_order
from mdgen.velocities import maxwell_velocities
from runkit.checkpoint import load_arrays, save_arrays
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from runkit.progress import Progress
from tools.benchmarks import lammps
from tools.benchmarks.liquid import DT, LAW, liquid
from tools.benchmarks.table import Row, show


def run(arguments) -> None:
    """Measure all cases and print the table."""
    executable, start = lammps.LAMMPS.find(arguments.lammps), liquid(arguments)
    cores = sorted(os.sched_getaffinity(0))[: arguments.ranks]
    if len(cores) < arguments.ranks:
        raise UserError(f"--ranks {arguments.ranks}: only {len(cores)} cores are there")
    print(f"{len(start.species)} particles, T = {arguments.temperature}, {arguments.precision}, on cores {cores}\n")
    show(_rows(arguments, executable, start, cores), "M/s", "LAMMPS")


def _rows(arguments, executable: Path, start: Configuration, cores: list[int]) -> Iterator[Row]:
    with ProcessPoolExecutor(len(cores)) as pool:
        for case, target, position, velocity in _cases(arguments, start):
            given = (start, position, velocity, executable, arguments)
            turns = [_side_by_side(pool, cores, given) for _ in range(arguments.turns)]
            ours, peer, limit = np.array(turns).T
            yield Row(case, ours, peer, float(np.median(limit)), f"ratio {target:g}")


def _cases(arguments, start: Configuration):
    """Name, target ratio, position and velocity [R, n, 3] of each case."""
    n, n_replicas, temperature = len(start.species), arguments.replicas, arguments.temperature
    together = np.repeat(start.position[None], n_replicas, axis=0)
    velocity = np.stack([maxwell_velocities(n, temperature, 1, 0, replica) for replica in range(n_replicas)])
    yield "one system", 3.5, together[:1], velocity[:1]
    yield f"{n_replicas} replicas, in the cage", 10, together, velocity
    if arguments.age:
        aged = _aged(arguments, start, together, velocity)
        yield f"{len(aged[0])} replicas, t = {arguments.age:g}", 5, *aged
    if arguments.start and arguments.start.suffix == ".npz":
        with np.load(arguments.start, allow_pickle=False) as file:
            spread = file.get("positions", together[:0])[:n_replicas]
        if len(spread):
            yield f"{len(spread)} replicas of the file", 5, spread, velocity[: len(spread)]


def _aged(arguments, start: Configuration, position, velocity) -> tuple[np.ndarray, np.ndarray]:
    """Position and velocity of the replicas after `--age`, from or into the file `--aged`."""
    path = arguments.aged
    if path and path.exists():
        saved = load_arrays(path)
        return saved["position"], saved["velocity"]
    dynamics = _dynamics(start, position, velocity, "float32")
    with Progress(SerialWorld(), round(arguments.age / DT), "steps", "age") as progress:
        for n_steps in _pieces(round(arguments.age / DT)):
            dynamics.step(n_steps)
            progress.advance(n_steps)
    aged = dynamics.position, dynamics.velocity
    if path:
        save_arrays(path, position=aged[0], velocity=aged[1])
    return aged


def _pieces(n_steps: int, length: int = 200) -> list[int]:
    return [min(length, n_steps - done) for done in range(0, n_steps, length)]


def _side_by_side(pool, cores, given) -> np.ndarray:
    """Our rate, LAMMPS' rate and our limit, per core, measured on all cores at the same time."""
    return np.mean(list(pool.map(_turn, cores, [given] * len(cores))), axis=0)


def _turn(core: int, given) -> tuple[float, float, float]:
    """One measurement on one core, ours first."""
    start, position, velocity, executable, arguments = given
    os.sched_setaffinity(0, {core})
    dynamics = _dynamics(start, position, velocity, arguments.precision)
    n_steps = max(60, round(1.2e7 / position[..., 0].size))
    dynamics.step(40)
    engine: Any = dynamics.engine
    engine.regroup()
    began = time.process_time()
    dynamics.step(n_steps)
    ours = position[..., 0].size * n_steps / (time.process_time() - began) / 1e6
    first = Configuration.of("replica 0", position[0], start.species, start.box)
    peer = lammps.rate(executable, first, velocity[0], LAW, DT, 600)
    return ours, peer, _limit(dynamics)


def _limit(dynamics: Dynamics) -> float:
    """Million atom-steps per second if only pairs in range were computed, at the time that an entry takes now."""
    engine: Any = dynamics.engine
    batch = engine.batches[0]
    began, n_calls = time.process_time(), 0
    while time.process_time() - began < 0.2:
        batch.evaluate()
        n_calls += 1
    entry = (time.process_time() - began) / n_calls / batch.neighbors.length
    lanes = batch.kernels.LANES
    pairs = _pairs_in_range(dynamics) * (1 if batch.replicas else 2)
    return lanes / (entry * pairs) / 1e6


def _pairs_in_range(dynamics: Dynamics) -> float:
    """Pairs within the cutoff, per particle of the first replica."""
    from scipy.spatial import cKDTree

    box, cutoff, species = dynamics.ensemble.box[0], LAW.cutoff, dynamics.ensemble.species[0]
    position = wrap(dynamics.engine.array("position")[0], box)
    pair = cKDTree(position, boxsize=box).query_pairs(cutoff.max(), output_type="ndarray")
    distance = position[pair[:, 0]] - position[pair[:, 1]]
    distance -= box * np.rint(distance / box)
    square = (distance**2).sum(axis=1)
    return float((square < cutoff[species[pair[:, 0]], species[pair[:, 1]]] ** 2).sum() / len(position))


def _dynamics(start: Configuration, position, velocity, precision: str) -> Dynamics:
    order = spatial_order(start.position, start.box)
    return Dynamics(position, velocity, start.species, start.box, LAW, DT, precision, order=order)
