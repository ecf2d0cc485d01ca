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
from tools.benchmarks.gpu_clock import copy_rate
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


def run(arguments) -> None:
    """Measure all cases and print the table."""
    device: Any = choose(SerialWorld(), "gpu")
    start, bandwidth = liquid(arguments, device), copy_rate(device)
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


def _openmm(arguments, start: Configuration) -> float:
    """OpenMM's rate; not a number without OpenMM."""
    if not arguments.openmm:
        return float("nan")
    given = start, arguments.temperature, arguments.steps, arguments.platform
    return peer_rate("openmm", arguments.openmm, *given)


def peer_rate(peer: str, python: str, start: Configuration, temperature: float, n_steps: int, platform: str) -> float:
    """Million atom-steps per second of `peer` (openmm, gamdpy), which `python` has, for one replica after the other.

    Raises UserError, with the peer's words, if it does not run.
    """
    velocity = maxwell_velocities(len(start.species), temperature, 1, 0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "start.npz"
        given = {name: getattr(start, name) for name in ("position", "species", "box")}
        given |= {**LAW.parameters, "cutoff": LAW.cutoff}
        np.savez(path, **given, velocity=velocity, dt=DT, n_steps=n_steps, platform=platform)
        worker = Path(__file__).with_name(f"{peer}_worker.py")
        done = subprocess.run([python, worker, path], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{python} could not run {peer}: {done.stderr.strip()[-300:]}")
    return float(done.stdout.split()[-1]) / 1e6
