"""What a GPU allows for molecular dynamics: instructions, gathering of places, memory.

The force loop is counted: instructions in the machine code for sm_90, everything else in the lists of the liquid that
is measured. A warp goes on until the longest list of its 32 particles ends, four entries at a time. For each entry it
fetches 32 places from shared memory, which gives 128 bytes in a cycle to eight lanes, and to fewer where their places
lie in the same banks.

Source: CUDA C++ Programming Guide, throughput of instructions and banks of shared memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.gpu_engine import GpuEngine
from mdgen.kernels.gpu import COORD, entry_type

ISSUED = {"float32": 35, "float64": 53}  # instructions of a thread for an entry of a list
SCHEDULERS = 4  # of a multiprocessor; each issues an instruction of a warp in a cycle
WARP, SERVED = 32, 8  # lanes of a warp; lanes that shared memory serves with 16 bytes at once
QUAD = 4  # entries that are read at a time
MOTION_BYTES = {"float32": 140, "float64": 180}  # of a particle in a step: motion, force, places, length of its list


def limits(device: Any, dynamics: Dynamics, bandwidth: float) -> dict[str, float]:
    """Million atom-steps per second that `issue` of instructions, `gather` of places and `memory` do not let exceed."""
    precision, n_particles = dynamics.ensemble.precision, dynamics.n_particles
    assert isinstance(dynamics.engine, GpuEngine)  # on a GPU
    length, entry = dynamics.engine.neighbors(0)
    steps = _entries_of_warps(length).sum() / n_particles  # of a warp, for a particle
    cycles = device.n_multiprocessors * device.clock
    place = 4 * np.dtype(COORD[precision]).itemsize
    moved = MOTION_BYTES[precision] + np.dtype(entry_type(n_particles)).itemsize * _up(length).mean()
    return {
        "issue": 1e-6 * cycles * SCHEDULERS / (ISSUED[precision] * steps),
        "gather": 1e-6 * cycles / (wavefronts(length, entry, place) * steps),
        "memory": 1e-6 * bandwidth / moved,
    }


def divergence(length: np.ndarray) -> float:
    """What warps go through over what is in their lists, of particles with `length` int [n] entries."""
    return float(WARP * _entries_of_warps(length).sum() / length.sum())


def wavefronts(length: np.ndarray, entry: np.ndarray, place_bytes: int) -> float:
    """Cycles of shared memory for the places of an entry of a warp, on average; `entry` int [n, room]."""
    n, room = len(length), int(_up(length).max())
    wanted = np.where(np.arange(room) < length[:, None], entry[:, :room].astype(np.int64), np.arange(n)[:, None])
    wanted[np.arange(room) >= _up(length)[:, None]] = -1
    lanes = np.full((-(-n // WARP) * WARP, room), -1)
    lanes[:n] = wanted
    together = np.sort(lanes.reshape(-1, SERVED, room), axis=1)  # lanes that want the same place get it at once
    counts = np.ones(together.shape, bool)
    counts[:, 1:] = together[:, 1:] != together[:, :-1]
    counts &= together >= 0
    n_banks = WARP * 4 // place_bytes  # places that lie side by side
    passes = np.max([(counts & (together % n_banks == bank)).sum(axis=1) for bank in range(n_banks)], axis=0)
    return float(place_bytes // 16 * passes.sum() / _entries_of_warps(length).sum())


def _entries_of_warps(length: np.ndarray) -> np.ndarray:
    """How many entries each warp goes through: as many as the longest list of its particles has."""
    padded = np.zeros(-(-len(length) // WARP) * WARP, np.int64)
    padded[: len(length)] = _up(length)
    return padded.reshape(-1, WARP).max(axis=1)


def _up(length: np.ndarray) -> np.ndarray:
    return -(-length // QUAD) * QUAD
