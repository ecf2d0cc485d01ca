"""A stand-in for a GPU: the same kernels' text, compiled for the CPU, on NumPy arrays."""

from tests.shim.device import StandIn

__all__ = ["StandIn"]
