"""Molecular dynamics on the CPU: Numba kernels that keep LANES values in each vector."""

from mdgen.kernels.cpu.lists import build, prune
from mdgen.kernels.cpu.motion import farthest, kick, kinetic_energy, locate, march
from mdgen.kernels.cpu.pairs import energies, forces
from runkit.simd.lanes import LANES

__all__ = ["LANES", "build", "energies", "farthest", "forces", "kick", "kinetic_energy", "locate", "march", "prune"]
