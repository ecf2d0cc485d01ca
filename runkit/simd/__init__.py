"""What Numba kernels share: explicit vectors, MPI messages, and a cache on disk that knows their whole text."""
