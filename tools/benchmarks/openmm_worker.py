"""Speed of OpenMM for a configuration: `python openmm_worker.py FILE.npz`, with a Python that has OpenMM.

FILE holds position, velocity, species, box, epsilon, sigma, cutoff, dt, n_steps and platform. Prints atom-steps per
second of one replica: OpenMM advances one system at a time, so many replicas take as long one after the other.

Source: P. Eastman et al., J. Phys. Chem. B 128, 109 (2024), doi:10.1021/acs.jpcb.3c06662.
Units: Lennard-Jones, as nm, ps and u.
"""

import sys
import time

import numpy as np
import openmm

ENERGY = (
    "step(rc - r) * (4 * e * ((s / r)^12 - (s / r)^6) - shift); e = epsilon(kind1, kind2); s = sigma(kind1, kind2); "
    "rc = cut(kind1, kind2); shift = lift(kind1, kind2)"
)


def system(given) -> openmm.System:
    """Particles of mass 1 in a periodic box with the truncated and shifted pair law."""
    n_species, cutoff = len(given["epsilon"]), given["cutoff"]
    power = (given["sigma"] / cutoff) ** 6
    lift = 4 * given["epsilon"] * (power**2 - power)
    force = openmm.CustomNonbondedForce(ENERGY)
    for name, values in {"epsilon": given["epsilon"], "sigma": given["sigma"], "cut": cutoff, "lift": lift}.items():
        force.addTabulatedFunction(name, openmm.Discrete2DFunction(n_species, n_species, values.ravel().tolist()))
    force.addPerParticleParameter("kind")
    force.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(float(cutoff.max()))
    made = openmm.System()
    made.setDefaultPeriodicBoxVectors(*np.diag(given["box"]).tolist())
    for kind in given["species"]:
        made.addParticle(1.0)
        force.addParticle([float(kind)])
    made.addForce(force)
    return made


def main() -> None:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        given = {name: file[name] for name in file.files}
    platform = openmm.Platform.getPlatformByName(str(given["platform"]))
    options = {"Precision": "mixed"} if platform.getName() == "CUDA" else {}
    integrator = openmm.VerletIntegrator(float(given["dt"]))
    context = openmm.Context(system(given), integrator, platform, options)
    context.setPositions(given["position"].tolist())
    context.setVelocities(given["velocity"].tolist())
    n_steps = int(given["n_steps"])
    integrator.step(n_steps // 4 + 1)
    context.getState(getEnergy=True)
    began = time.perf_counter()
    integrator.step(n_steps)
    context.getState(getEnergy=True)
    print(len(given["species"]) * n_steps / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
