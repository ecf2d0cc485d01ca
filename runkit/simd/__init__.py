"""What Numba kernels share: explicit vectors (`lanes`) and a cache on disk that knows their whole text (`compiled`)."""
