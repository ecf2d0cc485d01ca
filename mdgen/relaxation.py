"""The length of a hold in units of tau_alpha, the structural relaxation time.

Source: tau_alpha of the Kob–Andersen mixture at density 1.2 as published with its ensembles: H. Shiba et al., J. Chem.
Phys. 158, 084503 (2023), doi:10.1063/5.0129791 (about twice the time at which F_s(q = 7.25) has fallen to 1/e).
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mdgen.config import LONGEST, RunConfig, System

KOB_ANDERSEN = {0.44: 4120.0, 0.50: 217.0, 0.56: 52.0, 0.64: 16.5}  # tau_alpha by temperature
ENOUGH = 10  # tau_alpha of a hold after which a sample is taken to be in equilibrium


class Relaxation(NamedTuple):
    """tau_alpha of a system, and whether it is a published one."""

    time: float
    is_published: bool


def relaxation_of(system: System) -> Relaxation | None:
    """tau_alpha of a system, interpolated between known temperatures; None for a system without published values.

    Below and above them its logarithm goes on as a straight line in 1 / T, which is too short in the cold, up to the
    longest time that anything may take.
    """
    is_known = system.potential == "kob-andersen" and not system.parameters
    same_state = np.allclose(system.composition, (0.8, 0.2), atol=5e-3) and abs(system.density - 1.2) < 5e-3
    if not (is_known and len(system.composition) == 2 and same_state):
        return None
    for temperature, time in KOB_ANDERSEN.items():
        if math.isclose(temperature, system.temperature):
            return Relaxation(time, True)
    inverse = np.array([1 / temperature for temperature in KOB_ANDERSEN])[::-1]
    logarithm = [math.log(time) for time in KOB_ANDERSEN.values()][::-1]
    upper = int(np.clip(np.searchsorted(inverse, 1 / system.temperature), 1, len(inverse) - 1))
    slope = np.diff(logarithm)[upper - 1] / np.diff(inverse)[upper - 1]
    exponent = logarithm[upper] + slope * (1 / system.temperature - inverse[upper])
    return Relaxation(math.exp(min(float(exponent), math.log(LONGEST))), False)


def hold_in_words(config: RunConfig) -> tuple[str, bool]:
    """The hold in units of tau_alpha, in words, and whether it is shorter than one."""
    hold, known = config.initial.hold_time, relaxation_of(config.system)
    if known is None:
        return f"hold of {hold:g}; tau_alpha of this system is not known: see when self_scattering has decayed", False
    source = "published" if known.is_published else "estimated"
    message = f"hold of {hold:g} = {hold / known.time:.2g} tau_alpha ({known.time:.3g}, {source})"
    if hold >= ENOUGH * known.time:
        return message, False
    if ENOUGH * known.time > LONGEST:
        return f"{message}; no hold leads to equilibrium", hold < known.time
    return f"{message}; initial.hold_time = {ENOUGH * known.time:.3g} or more leads to equilibrium", hold < known.time
