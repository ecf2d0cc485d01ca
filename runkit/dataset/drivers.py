"""Two ways in which many ranks fill one file that has been laid down: MPI-IO, and plain writes at known offsets.

Both move raw data of contiguous arrays and touch no metadata, so they leave the same bytes. Plain writes rely on a file
system that is coherent between nodes (Lustre, GPFS, a local disk; not NFS with several nodes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TypeGuard

import h5py
import numpy as np

from runkit.arrays import Array
from runkit.dataset.selection import runs
from runkit.errors import UserError
from runkit.mpi import MpiWorld, World

DRIVERS = ("auto", "mpio", "posix")


class Driver(Protocol):
    """Raw data of the arrays of one file; `slices` select a box, `values` has the box's number of elements."""

    name: str

    def write(self, field: str, slices: tuple[slice, ...], values: Array) -> None:
        """Write a box; any rank at any time."""

    def read(self, field: str, slices: tuple[slice, ...]) -> Array:
        """Read a box; any rank at any time."""

    def flush(self) -> None:
        """Hand all data to the operating system, collectively."""

    def close(self) -> None:
        """Close the file, collectively."""


def hdf5_version() -> str:
    """h5py and its HDF5, and whether they write in parallel."""
    kind = "parallel" if h5py.get_config().mpi else "serial"
    return f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, {kind}"


def check_driver(world: World, wanted: str) -> None:
    """Raise UserError if a driver of this name cannot be had."""
    if wanted not in DRIVERS:
        raise UserError(f"driver = {wanted!r} is not allowed; allowed: {', '.join(DRIVERS)}")
    if wanted == "mpio" and not _has_mpio(world):
        raise UserError("driver = 'mpio' needs h5py built against parallel HDF5, and MPI; use 'auto' or 'posix'")


def open_driver(world: World, path: Path, wanted: str) -> Driver:
    """MPI-IO where h5py is built with it and the file system takes it, else plain writes; collective."""
    if wanted == "posix" or not _has_mpio(world):
        return PosixDriver(path)
    driver: Driver | None = None
    failure = ""
    try:
        driver = MpioDriver(world, path)
    except (OSError, RuntimeError) as error:
        failure = str(error)
    failures = [text for text in world.all_gather(failure) if text]
    if driver is not None and not failures:
        return driver
    if wanted == "mpio":
        raise UserError(f"{path} cannot be opened through MPI-IO: {failures[0]}")
    return PosixDriver(path)


def _has_mpio(world: World) -> TypeGuard[MpiWorld]:
    return bool(h5py.get_config().mpi) and isinstance(world, MpiWorld)


class MpioDriver:
    """Parallel HDF5: independent transfers through MPI-IO."""

    name = "MPI-IO"

    def __init__(self, world: MpiWorld, path: Path) -> None:
        # Without data sieving, which would write back neighbouring bytes that another rank may have changed.
        hints = world.hints(romio_ds_write="disable")
        self._file = h5py.File(path, "r+", driver="mpio", comm=world.comm, info=hints, libver=("v108", "v110"))

    def write(self, field: str, slices: tuple[slice, ...], values: Array) -> None:
        dataset = self._file[field]
        if dataset.shape:
            dataset[slices] = values.reshape([item.stop - item.start for item in slices])
        else:
            dataset[()] = values

    def read(self, field: str, slices: tuple[slice, ...]) -> Array:
        return np.asarray(self._file[field][slices])

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class PosixDriver:
    """Serial HDF5: each rank writes its own bytes at the offsets that HDF5 reported after layout."""

    name = "plain writes at known offsets"

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR)
        with h5py.File(path, "r", locking=False) as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            self._arrays = {name: _Place.of(file[name]) for name in names}

    def write(self, field: str, slices: tuple[slice, ...], values: Array) -> None:
        data = memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        for offset, size in self._arrays[field].bytes_of(slices):
            _write_whole(self._descriptor, data[:size], offset)
            data = data[size:]

    def read(self, field: str, slices: tuple[slice, ...]) -> Array:
        place = self._arrays[field]
        values = np.empty([item.stop - item.start for item in slices], place.dtype)
        rest = memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        for offset, size in place.bytes_of(slices):
            _read_whole(self._descriptor, rest[:size], offset)
            rest = rest[size:]
        return values

    def flush(self) -> None:
        """Every write has gone to the operating system already."""

    def close(self) -> None:
        os.close(self._descriptor)


class _Place:
    """Where a contiguous array lies in its file."""

    def __init__(self, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.offset, self.shape, self.dtype = offset, shape, dtype

    @classmethod
    def of(cls, dataset: h5py.Dataset) -> _Place:
        offset = dataset.id.get_offset()
        if offset is None and dataset.size:
            raise UserError(f"{dataset.file.filename}: field {dataset.name} is not laid out contiguously")
        return cls(offset or 0, dataset.shape, dataset.dtype)

    def bytes_of(self, slices: tuple[slice, ...]) -> Iterator[tuple[int, int]]:
        size = self.dtype.itemsize
        return ((self.offset + first * size, count * size) for first, count in runs(self.shape, slices))


def _write_whole(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _read_whole(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        n_read = os.preadv(descriptor, [data], offset)
        if not n_read:
            raise OSError(f"the file ends before byte {offset + len(data)}")
        data, offset = data[n_read:], offset + n_read
