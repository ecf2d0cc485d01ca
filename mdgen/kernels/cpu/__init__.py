"""Molecular dynamics on the CPU: Numba kernels over blocks of LANES values.

The state of a bundle is blocks [n_blocks, 3, LANES], flat and float64: with replicas as lanes a block is one particle of
LANES replicas; with particles as lanes it is LANES particles of one replica. Lists and cells take int32 coordinates that
count 2**-32 of the box, and so do float32 forces; float64 forces take fractions of the box.
"""

from mdgen.kernels.cpu.lanes import LANES
from mdgen.kernels.cpu.lists import build, prune
from mdgen.kernels.cpu.motion import drift, farthest, fractions, kick, kinetic_energy, locate
from mdgen.kernels.cpu.pairs import COLUMNS, energies, forces

__all__ = ["COLUMNS", "LANES", "build", "drift", "energies", "farthest", "forces", "fractions", "kick", "kinetic_energy",
           "locate", "prune"]
