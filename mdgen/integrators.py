"""Velocity Verlet over bundles of replicas, with or without a thermostat.

Source: W. C. Swope et al., J. Chem. Phys. 76, 637 (1982), doi:10.1063/1.442716.
Units: mass 1, time in units of the potential.
"""

import numpy as np


def advance(bundle, n_steps: int, dt: float) -> None:
    """`n_steps` steps (NVE) of a bundle whose forces are those of its positions.

    Two half kicks that meet between steps are done in one pass over memory, each rounded for itself, so that n steps at
    once and one by one give the same bits.
    """
    for i_step in range(n_steps):
        bundle.drift(1 if i_step == 0 else 2, dt)
        bundle.evaluate(dt)
    if n_steps:
        bundle.kick(dt)


def advance_coupled(bundles, n_steps: int, dt: float, thermostat) -> None:
    """`n_steps` steps of all bundles, before and after each of which the thermostat rescales the velocities."""
    for _ in range(n_steps):
        _rescale(bundles, thermostat.scale_before)
        for bundle in bundles:
            advance(bundle, 1, dt)
        _rescale(bundles, thermostat.scale_after)


def _rescale(bundles, factors) -> None:
    factor = factors(np.concatenate([bundle.kinetic_energy() for bundle in bundles]))
    if factor is None:
        return
    first = 0
    for bundle in bundles:
        bundle.rescale(factor[first : first + len(bundle.index)])
        first += len(bundle.index)
