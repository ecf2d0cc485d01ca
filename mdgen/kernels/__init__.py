"""Compute kernels: one module per kind of machine, all with the functions and names of `mdgen.kernels.cpu`."""
