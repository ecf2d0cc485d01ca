"""Lattice Boltzmann on the CPU: Numba kernels that keep LANES sites in each vector."""

from lbmgen.kernels.cpu.steps import Steps

__all__ = ["Steps"]
