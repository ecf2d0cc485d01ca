"""The force on bodies by momentum exchange: what populations bring along each link plus what they take back.

Populations are deviations from rest at density 1, and so is what they bring: the pressure of a fluid at rest there is
left out. On a body in the middle of the fluid it cancels; a body that touches a wall or a face takes the force of the
difference to it, as it would in a fluid that also surrounds the wall.

Source: A. J. C. Ladd, J. Fluid Mech. 271, 285 (1994), doi:10.1017/S0022112094001771.
Units: lattice units.
"""

from __future__ import annotations

import numpy as np

from runkit.arrays import F64, I64

QUANTUM = 2.0**-48  # of the kernels' integer sums


def momentum_exchange(impulse: I64) -> F64:
    """Force [n_steps, n_bodies, d] from the impulse in quanta [n_steps, n_bodies, d + 1].

    The last column counts links that blew up: the force is NaN where there are any.
    """
    force: F64 = impulse[..., :-1] * np.float64(QUANTUM)
    force[impulse[..., -1] > 0] = np.nan
    return force
