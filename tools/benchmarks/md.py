"""Molecular dynamics of the Kob–Andersen liquid against LAMMPS (lj/cut/opt, skin 0.2): atom-steps per core-second.

Both run on the same cores in turns, in processor time, so that a busy machine spoils neither. The cases: one system;
replicas in their cages; replicas as far apart as after --age; replicas as far apart as in the file's `positions`.
The limit is the rate of the force loop if it had only pairs in range to do, for each replica its own.
Units: Lennard-Jones.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.formats import read
from mdgen.initial import Configuration, melt, wrap
from mdgen.neighbors import spatial_order
from mdgen.potentials import potential
from mdgen.thermostats import thermostat
from mdgen.velocities import maxwell_velocities
from runkit.checkpoint import load_arrays, save_arrays
from runkit.device import choose
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from runkit.progress import Progress
from runkit.rng import stream
from tools.benchmarks import lammps, md_gpu
from tools.benchmarks.table import Row, show

DT = 0.005
LAW = potential.build("kob-andersen")


def add_arguments(parser) -> None:
    parser.add_argument("--lammps", metavar="PATH", help="executable; by default one is installed in the user's cache")
    parser.add_argument("--device", default="cpu", choices=("cpu", "gpu"), help="gpu: against OpenMM, see md_gpu.py")
    parser.add_argument("--openmm", metavar="PYTHON", help="with --device gpu: a Python that has OpenMM")
    parser.add_argument("--platform", default="CUDA", help="with --openmm: the platform that it uses")
    parser.add_argument("--steps", type=int, default=400, help="with --device gpu: steps of each measurement")
    parser.add_argument("--start", type=Path, metavar="FILE", help="configuration file; by default a liquid is cooled")
    parser.add_argument("--temperature", type=float, default=0.44)
    parser.add_argument("--replicas", type=int, default=32)
    parser.add_argument("--age", type=float, default=0.0, metavar="TIME", help="also measure replicas aged this long")
    parser.add_argument("--aged", type=Path, metavar="FILE", help=".npz in which the aged replicas are kept")
    parser.add_argument("--turns", type=int, default=5, help="measurements of each case")
    parser.add_argument("--ranks", type=int, default=1, help="processes side by side, of ours and of LAMMPS alike")
    parser.add_argument("--precision", default="float32", choices=("float32", "float64"))


def run(arguments) -> None:
    """Measure all cases and print the table."""
    if arguments.device == "gpu":
        gpu = choose(SerialWorld(), "gpu")
        start = read(arguments.start)[0] if arguments.start else _cooled(arguments.temperature, device=gpu)
        md_gpu.run(arguments, gpu, start, LAW)
        return
    executable = lammps.find(arguments.lammps)
    start = read(arguments.start)[0] if arguments.start else _cooled(arguments.temperature)
    cores = sorted(os.sched_getaffinity(0))[: arguments.ranks]
    if len(cores) < arguments.ranks:
        raise UserError(f"--ranks {arguments.ranks}: only {len(cores)} cores are there")
    rows = []
    with ProcessPoolExecutor(arguments.ranks) as pool:
        for case, target, position, velocity in _cases(arguments, start):
            given = (start, position, velocity, executable, arguments)
            turns = [_side_by_side(pool, cores, given) for _ in range(arguments.turns)]
            ours, peer, limit = np.array(turns).T
            rows.append(Row(case, list(ours), list(peer), float(np.median(limit)), target))
            print(f"{case}: {np.median(ours / peer):.2f} times LAMMPS", flush=True)
    print(f"\n{len(start.species)} particles, T = {arguments.temperature}, {arguments.precision}, on cores {cores}")
    print(show(rows, "M/s", "LAMMPS"))


def _cases(arguments, start: Configuration):
    """Name, target ratio, position and velocity [R, n, 3] of each case."""
    n, n_replicas, temperature = len(start.species), arguments.replicas, arguments.temperature
    together = np.repeat(start.position[None], n_replicas, axis=0)
    velocity = np.stack([maxwell_velocities(n, temperature, 1, 0, replica) for replica in range(n_replicas)])
    yield "one system", 1, together[:1], velocity[:1]
    yield f"{n_replicas} replicas, in the cage", 4, together, velocity
    if arguments.age:
        aged = _aged(arguments, start, together, velocity)
        yield f"{len(aged[0])} replicas, t = {arguments.age:g}", 4, *aged
    if arguments.start and arguments.start.suffix == ".npz":
        with np.load(arguments.start, allow_pickle=False) as file:
            spread = file.get("positions", together[:0])[:n_replicas]
        if len(spread):
            yield f"{len(spread)} replicas of the file", 2, spread, velocity[: len(spread)]


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
    dynamics.engine.regroup()
    began = time.process_time()
    dynamics.step(n_steps)
    ours = position[..., 0].size * n_steps / (time.process_time() - began) / 1e6
    first = Configuration.of("replica 0", position[0], start.species, start.box)
    peer = lammps.rate(executable, first, velocity[0], LAW, DT, 600)
    return ours, peer, _limit(dynamics)


def _limit(dynamics: Dynamics) -> float:
    """Million atom-steps per second if only pairs in range were computed, at the time that an entry takes now."""
    bundle = dynamics.engine.parts[0]
    began, n_calls = time.process_time(), 0
    while time.process_time() - began < 0.2:
        bundle.evaluate()
        n_calls += 1
    entry = (time.process_time() - began) / n_calls / bundle.neighbors.length
    lanes = bundle.kernels.LANES
    pairs = _pairs_in_range(dynamics) * (1 if bundle.replicas else 2)
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


def _cooled(temperature: float, n_particles: int = 4096, device=None) -> Configuration:
    """A liquid cooled from a melt in 100 time units: near enough to equilibrium for its speed."""
    start = melt(n_particles, (0.8, 0.2), 1.2, 1, 0)
    bath = thermostat.build(
        "bussi",
        temperature=2.0,
        relaxation_time=0.5,
        dt=DT,
        degrees_of_freedom=3 * n_particles - 3,
        streams=[stream(1, "bench")],
    )
    velocity = maxwell_velocities(n_particles, 2.0, 1, 0)
    given = (start.position[None], velocity[None], start.species, start.box, LAW, DT)
    dynamics = Dynamics(*given, thermostat=bath, order=spatial_order(start.position, start.box), device=device)
    for fraction in np.linspace(0, 1, 20):
        bath.temperature = 2.0 + fraction * (temperature - 2.0)
        dynamics.step(1000)
    return Configuration.of("cooled", dynamics.position[0], start.species, start.box)
