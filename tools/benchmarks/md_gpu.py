"""Batches of replicas on one GPU against OpenMM on the same GPU: million atom-steps per second of wall time.

Units: Lennard-Jones.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.initial import Configuration
from mdgen.neighbors import spatial_order
from mdgen.velocities import maxwell_velocities
from runkit.device import choose
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tools.benchmarks.liquid import DT, LAW, liquid
from tools.benchmarks.md_limits import limits
from tools.benchmarks.table import Row, show

# Replicas, how often the start is repeated along the axes, and what is to be reached.
CASES = (
    (132, (1, 1, 1), "1000 M/s, ratio 3"),
    (512, (1, 1, 1), "1000 M/s, ratio 3"),
    (32, (2, 2, 1), "ratio 3"),
    (8, (4, 2, 2), "ratio 3"),
)
COPIED = 1 << 28  # elements of an array that outgrows every cache


def run(arguments) -> None:
    """Measure all cases and print the table."""
    device: Any = choose(SerialWorld(), "gpu")
    start, bandwidth = liquid(arguments, device), _bandwidth(device)
    print(f"T = {arguments.temperature}, {arguments.precision}, {device.name}, copies at {bandwidth / 1e9:.0f} GB/s\n")
    show(rows(arguments, device, start, bandwidth), "M/s", "OpenMM")


def rows(arguments, device, start: Configuration, bandwidth: float) -> Iterator[Row]:
    """Rates of all cases."""
    for n_replicas, tiles, target in CASES:
        large = tiled(start, tiles)
        dynamics = _dynamics(arguments, device, large, n_replicas)
        ours = [_rate(dynamics, arguments.steps) for _ in range(arguments.turns)]
        peer = [_openmm(arguments, large) for _ in range(arguments.turns)]
        limit, of = min((rate, name) for name, rate in limits(device, dynamics, bandwidth).items())
        yield Row(f"{n_replicas} replicas of {dynamics.n_particles} (limit: {of})", ours, peer, limit, target)


def tiled(start: Configuration, tiles: tuple[int, int, int]) -> Configuration:
    """The configuration repeated along each axis: larger, and at equilibrium as it was."""
    shift = np.stack(np.meshgrid(*map(np.arange, tiles), indexing="ij"), axis=-1).reshape(-1, 1, 3) * start.box
    position = (start.position + shift).reshape(-1, 3)
    return Configuration.of("tiled", position, np.tile(start.species, len(shift)), start.box * tiles)


def _dynamics(arguments, device, start: Configuration, n_replicas: int) -> Dynamics:
    n_particles = len(start.species)
    velocity = [maxwell_velocities(n_particles, arguments.temperature, 1, 0, k) for k in range(n_replicas)]
    position = np.repeat(start.position[None], n_replicas, axis=0)
    order = spatial_order(start.position, start.box)
    given = (position, velocity, start.species, start.box, LAW, DT, arguments.precision)
    dynamics = Dynamics(*given, order=order, device=device)
    dynamics.step(arguments.steps // 4 + 1)
    return dynamics


def _rate(dynamics: Dynamics, n_steps: int) -> float:
    """Million atom-steps per second."""
    began = time.perf_counter()
    dynamics.step(n_steps)
    return dynamics.n_replicas * dynamics.n_particles * n_steps / (time.perf_counter() - began) / 1e6


def _bandwidth(device, n_times: int = 10) -> float:
    """Bytes per second that a copy reads and writes: of numbers that are not all alike, as those of a liquid."""
    source = device.xp.arange(COPIED, dtype=np.uint32)
    source *= np.uint32(2654435761)
    target = device.xp.empty_like(source)
    for timed in (1, n_times):
        device.wait()
        began = time.perf_counter()
        for _ in range(timed):
            target[...] = source
        device.wait()
    return 2 * source.nbytes * n_times / (time.perf_counter() - began)


def _openmm(arguments, start: Configuration) -> float:
    """OpenMM's rate for one replica after the other; not a number without OpenMM."""
    if not arguments.openmm:
        return float("nan")
    velocity = maxwell_velocities(len(start.species), arguments.temperature, 1, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "start.npz"
        given = {name: getattr(start, name) for name in ("position", "species", "box")}
        given |= {name: getattr(LAW, name) for name in ("epsilon", "sigma", "cutoff")}
        np.savez(path, **given, velocity=velocity, dt=DT, n_steps=arguments.steps, platform=arguments.platform)
        worker = Path(__file__).with_name("openmm_worker.py")
        done = subprocess.run([arguments.openmm, worker, path], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{arguments.openmm} could not run OpenMM: {done.stderr.strip()[-300:]}")
    return float(done.stdout) / 1e6
