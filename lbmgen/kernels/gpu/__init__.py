"""Lattice Boltzmann on a GPU: CUDA C that rounds as the kernels for the CPU do, and many blocks in one launch."""

from lbmgen.kernels.gpu.steps import Steps

__all__ = ["Steps"]
