"""Molecular dynamics on the CPU: Numba kernels that keep LANES values in each vector."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from mdgen.kernels.cpu.lists import build, prune
from mdgen.kernels.cpu.mechanics import make_mechanics
from mdgen.kernels.cpu.motion import kick, kinetic_energy, largest_approach, locate, make_integrate
from mdgen.kernels.cpu.pairs import Formulas, make_energies, make_forces
from mdgen.potentials.pair import PairLaw, PairPotential
from runkit.simd.lanes import LANES


class Kernels(NamedTuple):
    """The kernels of a pair law, and those that all laws share: see the files of this folder."""

    forces: Callable[..., Any]
    energies: Callable[..., Any]
    integrate: Callable[..., Any]
    mechanics: Callable[..., Any]
    LANES: int = LANES
    build: Callable[..., Any] = build
    largest_approach: Callable[..., Any] = largest_approach
    kick: Callable[..., Any] = kick
    kinetic_energy: Callable[..., Any] = kinetic_energy
    locate: Callable[..., Any] = locate
    prune: Callable[..., Any] = prune


def kernels_of(potential: PairPotential) -> Kernels:
    """The kernels of a potential; potentials with the same law share them."""
    return _kernels(potential.law, tuple(potential.columns))


@cache
def _kernels(law: PairLaw, columns: tuple[str, ...]) -> Kernels:
    formulas = Formulas.of(law, columns)
    forces = make_forces(formulas)
    return Kernels(forces, make_energies(formulas), make_integrate(forces, formulas), make_mechanics(formulas))
