"""Kernels for the CPU, compiled by Numba on explicit vectors."""
