"""Results do not depend on how wide the vector registers of the processor are."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from runkit.simd.processor import register_bits

ROOT = Path(__file__).parents[2]
NARROW = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+sse4.2,+popcnt,+bmi,+bmi2,+lzcnt"}
PROGRAM = """
from hashlib import sha256
import numpy as np
import lbmgen
from mdgen.dynamics import Dynamics
from mdgen.initial import melt
from mdgen.potentials import potential
from mdgen.velocities import maxwell_velocities
from runkit.simd.lanes import LANES

start = melt(500, (0.8, 0.2), 1.2, 1, 0)
velocity = np.stack([maxwell_velocities(500, 1.0, 1, 0, replica) for replica in range(9)])
law = potential.build("kob-andersen")
values = []
for n_replicas, precision in ((9, "float32"), (1, "float32"), (9, "float64"), (1, "float64")):
    position = np.repeat(start.position[None], n_replicas, axis=0)
    dynamics = Dynamics(position, velocity[:n_replicas], start.species, start.box, law, 0.002, precision)
    dynamics.step(30)
    values += [dynamics.position, dynamics.velocity, dynamics.potential_energy, dynamics.kinetic_energy]
density = 1 + 0.01 * np.sin(np.arange(24))[None] * np.cos(np.arange(10))[:, None]
flow = lbmgen.simulate(density, np.zeros((10, 24, 2)), tau=0.6, n_steps=11, dtype="float32")
values += [flow.rho, flow.u]
print(LANES, sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in values)).hexdigest())
"""


def run(**environment: str) -> tuple[str, str]:
    """Lanes of a vector, and the digest of what a few steps lead to."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lanes, digest = done.stdout.split()
    return lanes, digest


@pytest.mark.skipif(platform.machine() != "x86_64" or register_bits() != 512, reason="needs a processor with AVX-512")
def test_narrow_and_wide_registers_give_the_same_bits():
    """Of replicas and of particles as lanes, and of a flow, with 8 and with 16 lanes."""
    (wide, expected), (narrow, found) = run(), run(**NARROW)
    assert (wide, narrow) == ("16", "8")
    assert found == expected
