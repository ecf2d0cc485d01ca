"""Speed of gamdpy for a configuration: `python gamdpy_worker.py FILE.npz`, with a Python that has gamdpy.

FILE is what `openmm_worker.py` reads. Prints atom-steps per second of one system in single precision: gamdpy advances
one at a time, so many replicas take as long one after the other.

Source: gamdpy, the successor of RUMD, https://github.com/gamdpy/gamdpy; RUMD: doi:10.21468/SciPostPhys.3.6.038.
Units: Lennard-Jones.
"""

import sys
import time

import gamdpy
import numpy as np


def simulation(given, n_blocks: int, n_steps: int):
    """`n_blocks` times `n_steps` steps of the truncated and shifted pair law."""
    configuration = gamdpy.Configuration(D=3, N=len(given["species"]))
    configuration.simbox = gamdpy.Orthorhombic(3, given["box"])
    configuration["r"] = (given["position"] % given["box"] - given["box"] / 2).astype(np.float32)
    configuration["v"] = given["velocity"].astype(np.float32)
    configuration["m"] = 1.0
    configuration.ptype[:] = given["species"]
    law = gamdpy.apply_shifted_potential_cutoff(gamdpy.LJ_12_6_sigma_epsilon)
    numbers = [given[name].astype(np.float32) for name in ("sigma", "epsilon", "cutoff")]
    pairs = gamdpy.PairPotential(law, params=numbers, max_num_nbs=1000)
    integrator = gamdpy.integrators.NVE(dt=float(given["dt"]))
    return gamdpy.Simulation(
        configuration, [pairs], integrator, [], num_timeblocks=n_blocks, steps_per_timeblock=n_steps, storage="memory"
    )


def main() -> None:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        given = {name: file[name] for name in file.files}
    n_steps, n_blocks = int(given["n_steps"]), 4
    blocks = simulation(given, n_blocks, n_steps).run_timeblocks()
    next(blocks)  # compiles
    began = time.perf_counter()
    for _ in blocks:  # each ends with copies to the host, as any run of it does
        pass
    print(len(given["species"]) * n_steps * (n_blocks - 1) / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
