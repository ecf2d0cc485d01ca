"""Versions of this code and of the libraries it uses, for reports of faults: `glassflow`, and `--version` everywhere.

Each line is made by itself, and imports the library that it describes: one that does not load is named in its line.
`--version` runs this in a process of its own (`runkit.cli.surroundings`), since one that is broken may end the process
that loads it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from runkit.version import code_version

KERNELS = ("mdgen", "lbmgen", "runkit")


def system() -> str:
    """Python, the system and the processor."""
    return f"{platform.python_version()}, {platform.system()} {platform.release()}, {platform.machine()}"


def packages(*names: str) -> str:
    """Versions of what is installed."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def mpi() -> str:
    """The bindings, and the library that they find."""
    from runkit.mpi.library import library_version

    return f"{packages('mpi4py')}, {' '.join(library_version().split())}"


def hdf5() -> str:
    """The bindings, their HDF5, and whether it writes in parallel."""
    from runkit.dataset.drivers import hdf5_version

    return hdf5_version()


def cuda() -> str:
    """The bindings, the driver and the compiler."""
    from runkit.device import cuda_version

    return f"{cuda_version()}; {packages('nvidia-cuda-nvrtc')}"


def kernels() -> str:
    """Vectors that they are compiled for, and a digest of their text."""
    from runkit.simd.compiled import text_digest
    from runkit.simd.processor import register_bits

    return f"vectors of {register_bits()} bits, " + ", ".join(f"{name} {text_digest(name)[:12]}" for name in KERNELS)


FACTS: dict[str, Callable[[], str]] = {
    "Python": system,
    "packages": lambda: packages("numpy", "scipy", "numba", "llvmlite", "pydantic"),
    "MPI": mpi,
    "HDF5": hdf5,
    "CUDA": cuda,
    "kernels": kernels,
    "training": lambda: packages("torch", "torch-geometric", "deepspeed"),
}


def main() -> None:
    """Print a line for each fact."""
    for name, tell in FACTS.items():
        try:
            message = tell()
        except Exception as error:
            message = f"cannot be found: {type(error).__name__}: {error}".splitlines()[0]
        print(f"  {name:9}{message}", flush=True)


def program() -> None:
    """The command `glassflow`: the versions of this code and of the libraries it uses."""
    print(f"glassflow {code_version()}", flush=True)
    main()


if __name__ == "__main__":
    main()
