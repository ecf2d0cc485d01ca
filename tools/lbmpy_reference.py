"""Run lbmpy on our arrays; it is an independent code, and nothing here is needed to run or test the project.

The same file is both sides: `propagate` is called by us and starts it again with the Python that has lbmpy.
Source: M. Bauer, H. Köstler, U. Rüde, J. Comput. Sci. 49, 101269 (2021), doi:10.1016/j.jocs.2020.101269.
Units: lattice units.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 3 / 16


def propagate(python, lattice: str, law: str, tau: float, rho, u, n_steps: int, force=None):
    """Density and velocity after `n_steps` steps of lbmpy in a periodic box; raises RuntimeError with its last words.

    `law` is bgk, or trt with magic = 3/16. lbmpy starts from the velocity that includes half of the force.
    """
    given = {"lattice": lattice, "law": law, "tau": tau, "rho": rho, "u": u, "n_steps": n_steps}
    if force is not None:
        given |= {"force": force, "u": u + np.array(force) / 2 / rho[..., None]}
    with tempfile.TemporaryDirectory() as directory:
        start, end = Path(directory) / "start.npz", Path(directory) / "end.npz"
        np.savez(start, **given)
        done = subprocess.run([python, __file__, start, end], cwd=directory, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"lbmpy failed:\n{done.stderr[-2000:]}")
        with np.load(end, allow_pickle=False) as found:
            return found["rho"], found["u"]


def main(start: str, end: str) -> None:
    """lbmpy's side: from one file to the other."""
    from lbmpy import ForceModel, LatticeBoltzmannStep, LBMConfig, LBStencil, Method, Stencil

    with np.load(start, allow_pickle=False) as given:
        rho, u, tau = given["rho"], given["u"], float(given["tau"])
        options: dict[str, Any] = {}
        if str(given["law"]) == "bgk":
            options |= {"method": Method.SRT, "relaxation_rate": 1 / tau}
        else:
            options |= {"method": Method.TRT, "relaxation_rates": [1 / tau, 1 / (MAGIC / (tau - 0.5) + 0.5)]}
        if "force" in given:
            options |= {"force": tuple(given["force"]), "force_model": ForceModel.GUO}
        stencil = LBStencil(getattr(Stencil, str(given["lattice"])))
        n_steps = int(given["n_steps"])
    law = LBMConfig(
        stencil=stencil,
        compressible=True,
        zero_centered=True,
        continuous_equilibrium=rho.ndim == 2,  # on D2Q9 both are the second-order one; on D3Q19 only the discrete is
        equilibrium_order=2,
        **options,
    )
    step = LatticeBoltzmannStep(rho.shape, periodicity=True, lbm_config=law, time_step_order="collide_stream")
    for block in step.data_handling.iterate(ghost_layers=False):
        density = block[step.density_data_name]
        density[...] = rho.reshape(density.shape)
        block[step.velocity_data_name][...] = u
    step.set_pdf_fields_from_macroscopic_values()
    step.run(n_steps)
    everywhere = (slice(None),) * rho.ndim
    np.savez(end, rho=np.array(step.density[everywhere]).reshape(rho.shape), u=np.array(step.velocity[everywhere]))


if __name__ == "__main__":
    main(*sys.argv[1:])
