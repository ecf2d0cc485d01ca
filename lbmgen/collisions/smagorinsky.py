"""Large-eddy simulation: a single relaxation time that grows with the local rate of strain.

Source: S. Hou, J. Sterling, S. Chen, G. D. Doolen, Fields Inst. Commun. 6, 151 (1996), arXiv:comp-gas/9401004.
Units: lattice units; the filter width is one site.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import sqrt
from operator import add

import numpy as np

from lbmgen.collisions import collision
from lbmgen.collisions.bgk import relax
from lbmgen.equilibrium import moments, stress
from lbmgen.lattices import Lattice
from runkit.formula import Value


@collision("smagorinsky")
@dataclass(frozen=True)
class Smagorinsky:
    """The eddy viscosity is constant^2 |S|, with |S| = sqrt(2 S_ab S_ab) from the local stress."""

    constant: float = 0.1
    least_tau = 0.5005
    least_tau_sliding = 0.515
    least_tau_reflecting = 0.54

    def __post_init__(self) -> None:
        if not 0 < self.constant <= 0.3:
            raise ValueError(f"constant = {self.constant:g}; allowed: above 0, up to 0.3")

    def rates(self, tau: float) -> tuple[float, ...]:
        return tau, 18 * sqrt(2) * self.constant**2

    def collide(
        self, lattice: Lattice, h: Sequence[Value], rates: Sequence[Value], force: Sequence[Value] | None = None
    ) -> list[Value]:
        tau, strength = rates
        of = moments(lattice, h, force)
        tensor = stress(lattice, h, of, force)
        square = reduce(add, (value * value if a == b else 2.0 * (value * value) for (a, b), value in tensor.items()))
        root = np.sqrt(square) * (of.per_density * of.per_density)
        omega = 2.0 / (tau + np.sqrt(tau * tau + strength * root))
        return relax(lattice, h, omega, force)
