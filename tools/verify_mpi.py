"""Shows that MPI and HDF5 fit together: run by tools/setup under mpiexec; --describe prints what is installed.

The classic failure is silent: with two MPI libraries in one process, or a launcher of another MPI, N processes each
believe to be alone and all write the same file.
"""

import sys
import tempfile
from pathlib import Path

import h5py


def describe() -> str:
    """One line: which HDF5 h5py was built with and which way of writing that gives."""
    version = f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}"
    if h5py.get_config().mpi:
        return f"ready: {version}, parallel: ranks write one file through MPI-IO"
    return f"ready: {version}, serial: no parallel HDF5, the writer's fallback is in use"


def mapped_mpi_libraries() -> set[str]:
    """The files of MPI libraries in this process."""
    paths = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    return {path for path in paths if Path(path).name.startswith(("libmpi.so", "libmpich.so", "libmpi_abi.so"))}


def verify() -> None:
    """Two or more ranks see each other, share one MPI library and, with a parallel h5py, fill one dataset."""
    from runkit.mpi.start import world_communicator

    world = world_communicator()  # first: importing mpi4py.MPI would start MPI before it
    from mpi4py import MPI

    libraries = mapped_mpi_libraries()
    if world.size < 2:
        raise SystemExit(f"mpiexec is not of this MPI: the world has one rank ({MPI.Get_library_version().strip()})")
    if len(libraries) != 1:
        raise SystemExit(f"more than one MPI library is mapped: {sorted(libraries)}")
    if h5py.get_config().mpi:
        folder = world.bcast(tempfile.mkdtemp() if world.rank == 0 else None)
        path = Path(folder) / "ranks.h5"
        with h5py.File(path, "w", driver="mpio", comm=world) as file:
            ranks = file.create_dataset("rank", shape=(world.size,), dtype="i4")
            with ranks.collective:
                ranks[world.rank] = world.rank
        with h5py.File(path, "r", driver="mpio", comm=world) as file:
            assert list(file["rank"][:]) == list(range(world.size)), "the ranks' file reads back wrong"
        if world.rank == 0:
            path.unlink()
            path.parent.rmdir()


if __name__ == "__main__":
    if "--describe" in sys.argv:
        print(describe())
    else:
        verify()
