"""Tools for Numba kernels: explicit vectors, MPI messages, and a cache on disk that is keyed by their whole text."""
