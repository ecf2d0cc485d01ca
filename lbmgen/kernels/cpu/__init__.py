"""Lattice Boltzmann on the CPU: Numba kernels that keep LANES sites in each vector."""

from lbmgen.kernels.cpu.faces import UNIT, copy, gather, outlets, scatter, walls
from lbmgen.kernels.cpu.march import make_march
from lbmgen.kernels.cpu.sweep import make_sweep
from lbmgen.kernels.cpu.totals import totals
from runkit.simd.lanes import LANES

__all__ = ["LANES", "UNIT", "copy", "gather", "make_march", "make_sweep", "outlets", "scatter", "totals", "walls"]
