"""LAMMPS as it is run at its best on one core for this system: `lj/cut/opt`, a skin of 0.2.

Source: A. P. Thompson et al., Comput. Phys. Commun. 271, 108171 (2022), doi:10.1016/j.cpc.2021.108171.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from mdgen.initial import Configuration
from mdgen.potentials.pair import PairPotential
from runkit.errors import UserError
from tools.benchmarks.peer import Peer
from tools.lammps_reference import write_data

SKIN = 0.2
LAMMPS = Peer("LAMMPS", "lmp", ("lammps", "mpich"), "--lammps", "one")


def rate(executable: Path, start: Configuration, velocity, law: PairPotential, dt: float, n_steps: int) -> float:
    """Million atom-steps per second of processor time of `n_steps` NVE steps."""
    epsilon, sigma = law.parameters["epsilon"], law.parameters["sigma"]
    kinds = [(a, b) for a in range(law.n_species) for b in range(a, law.n_species)]
    with tempfile.TemporaryDirectory() as directory:
        write_data(Path(directory) / "start.data", start, law.n_species, np.asarray(velocity))
        lines = [
            "units lj",
            "atom_style atomic",
            "read_data start.data",
            f"pair_style lj/cut/opt {law.largest_cutoff}",
            *(f"pair_coeff {a + 1} {b + 1} {epsilon[a, b]} {sigma[a, b]} {law.cutoff[a, b]}" for a, b in kinds),
            "pair_modify shift yes",
            f"neighbor {SKIN} bin",
            "neigh_modify every 1 delay 0 check yes",
            "fix nve all nve",
            f"timestep {dt}",
            "thermo 1000000",
            f"run {n_steps // 4}",
            f"run {n_steps}",
        ]
        (Path(directory) / "run.in").write_text("\n".join(lines) + "\n")
        libraries = f"{executable.parent.parent / 'lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}"
        done = subprocess.run(
            [executable, "-in", "run.in"],
            cwd=directory,
            env=os.environ | {"LD_LIBRARY_PATH": libraries},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise UserError(f"{executable} failed: {(done.stdout + done.stderr)[-500:]}")
    seconds = float(re.findall(r"Loop time of (\S+)", done.stdout)[-1])
    share = float(re.findall(r"([\d.]+)% CPU use", done.stdout)[-1]) / 100
    return len(start.species) * n_steps / (seconds * share) / 1e6
