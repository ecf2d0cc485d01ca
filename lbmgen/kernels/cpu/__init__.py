"""Lattice Boltzmann on the CPU: Numba kernels that keep LANES sites in each vector."""

from lbmgen.kernels.cpu.steps import Steps
from lbmgen.kernels.cpu.sweep import make_sweep
from runkit.simd.lanes import LANES

__all__ = ["LANES", "Steps", "make_sweep"]
