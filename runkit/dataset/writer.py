"""Writing a dataset file: lay down, fill, seal.

    writer = Writer.open(world, "data/case.h5", ISOCONFIG, sizes, {"config": config, "seed": 1})
    writer.write("position", (sample, slice(None), replica), position)     # any rank, at any time
    writer.mark("propagated", (sample, replica), COMPLETE)                 # data first, on disk; then the flag
    writer.sync()                                                          # all ranks: now each reads what others wrote
    writer.seal()                                                          # all ranks: the file gets its name

The file is `case.h5.part` until it is sealed. After layout only raw data is written, so it stays readable when any rank
dies at any moment, and `open` with the same configuration goes on with it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runkit.checkpoint import sync_directory
from runkit.dataset.drivers import Driver, check_driver, open_driver
from runkit.dataset.layout import Groups, dtype_of, in_units, lay_down
from runkit.dataset.lock import FileLock
from runkit.dataset.resume import check_same
from runkit.dataset.schema import PENDING, Schema
from runkit.dataset.selection import Index, box, in_words
from runkit.errors import UserError
from runkit.mpi import World


class Writer:
    """One file that all ranks of `world` fill; made by `Writer.open`.

    `state` is "new", "resumed" or "finished": the file was there, whole and of the same configuration, nothing to do.
    """

    def __init__(self, world: World, path: Path, schema: Schema, sizes: Mapping[str, int]) -> None:
        self.world, self.path, self.schema = world, path, schema
        self.part = path.with_name(path.name + ".part")
        self.state = "new"
        self._shapes = {field.name: field.shape(dict(sizes)) for field in schema.fields}
        self._driver: Driver | None = None
        self._descriptor = -1
        self._lock: FileLock | None = None

    @classmethod
    def open(
        cls,
        world: World,
        path: Path | str,
        schema: Schema,
        sizes: Mapping[str, int],
        attributes: Mapping[str, Any],
        *,
        free_keys: Sequence[str] = (),
        groups: Groups | None = None,
        driver: str = "auto",
    ) -> Writer:
        """Lay the file down, or go on with an unfinished one; collective.

        `attributes["config"]` holds the resolved configuration as nested tables; an existing file must have been made
        with the same one, apart from the dotted `free_keys`. `attributes["inputs"]`, if given, holds the digests of
        files that the run reads (`runkit.digest`), which must be the same too. `groups` adds attributes to groups.
        Raises UserError on all ranks: another configuration, no such directory, no room, another run on the same file.
        """
        writer = cls(world, Path(path), schema, sizes)
        check_driver(world, driver)
        about = {**attributes, "mpi_library": world.library}
        writer.state = world.on_root(writer._prepare, sizes, about, groups or {}, free_keys)
        if not writer.finished:
            writer._descriptor = os.open(writer.part, os.O_RDWR)
            try:
                writer._driver = open_driver(world, writer.part, driver)
            except UserError:
                writer._release()
                raise
        return writer

    @property
    def finished(self) -> bool:
        """Whether the file was complete before; nothing can be written."""
        return self.state == "finished"

    @property
    def method(self) -> str:
        """How ranks write, for the log."""
        return self._driver.name if self._driver else "nothing to write"

    @property
    def scratch(self) -> Path:
        """The folder beside an unfinished file where units of work keep their checkpoints."""
        return self.path.with_name(self.path.name + ".checkpoints")

    def write(self, name: str, index: Index, values: ArrayLike) -> None:
        """Store `values` in `name[index]`; not collective. Raises UserError if the disk refuses."""
        driver = self._open_driver()
        slices, shape = box(self._shapes[name], index)
        array = np.asarray(values).astype(dtype_of(self.schema[name]), order="C", casting="same_kind", copy=False)
        if array.shape != shape:
            raise ValueError(f"{in_words(name, index)} has shape {shape}, not {array.shape}")
        try:
            driver.write(name, slices, array)
        except (OSError, RuntimeError) as error:
            raise UserError(self._write_failure(name, index, array.nbytes, error)) from error

    def write_text(self, name: str, index: Index, words: str) -> None:
        """Store words, as many as the field holds; not collective."""
        dtype = dtype_of(self.schema[name])
        self.write(name, index, np.array(words.encode()[: dtype.itemsize], dtype))

    def read(self, name: str, index: Index = ()) -> NDArray[Any]:
        """The array `name[index]`; not collective. What other ranks wrote is there after `sync`."""
        slices, shape = box(self._shapes[name], index)
        return self._open_driver().read(name, slices).reshape(shape)

    def pending(self, stage: str) -> list[tuple[int, ...]]:
        """Units of a stage that are still to be done, the same list on every rank; collective.

        Root alone reads the flags: a rank that is late would miss units that a fast one has done meanwhile, and the two
        would share out different lists.
        """
        units = self.world.on_root(lambda: np.argwhere(self.read(stage) == PENDING).tolist())
        return [tuple(unit) for unit in units]

    def mark(self, name: str, index: Index, status: int) -> None:
        """Set a status flag, after all that this rank has written is on disk; not collective."""
        self.to_disk()
        _, shape = box(self._shapes[name], index)
        self.write(name, index, np.full(shape, status, dtype_of(self.schema[name])))

    def to_disk(self) -> None:
        """Bring all that this rank has written to disk; not collective."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise UserError(f"{self.part} cannot be brought to disk: {error.strerror}") from error

    def sync(self) -> None:
        """From here on every rank reads what any rank wrote before; collective."""
        self._open_driver().flush()
        self.to_disk()
        self.world.barrier()

    def seal(self) -> None:
        """Give the file its name; collective. Raises UserError if units are pending."""
        self.sync()
        pending = {stage.name: int(np.sum(self.read(stage.name) == PENDING)) for stage in self.schema.stages}
        if any(pending.values()):
            open_units = ", ".join(f"{name}: {count}" for name, count in pending.items() if count)
            raise UserError(f"{self.part} is not complete; pending units: {open_units}")
        self._open_driver().close()
        self.world.on_root(self._rename)
        self._release()
        self.state = "finished"

    def close(self) -> None:
        """Leave the file as it is; collective."""
        if self._driver is not None:
            self.sync()
            self._driver.close()
        self._release()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error other ranks may not come: closing together could wait for ever.
        if error is None:
            self.close()

    def _prepare(
        self, sizes: Mapping[str, int], attributes: Mapping[str, Any], groups: Groups, free_keys: Sequence[str]
    ) -> str:
        """On root: find out what is there, lock it, lay down what is not; returns the state."""
        directory = self.path.parent
        if not directory.is_dir():
            raise UserError(f"cannot write {self.path}: directory {directory} does not exist")
        if not self.path.exists():
            self._lock = FileLock(self.part.with_name(self.part.name + ".lock"))
        try:
            # Asked again: another run may have finished it before it left us the lock.
            if self.path.exists():
                check_same(self.path, self.schema, self._shapes, attributes, free_keys)
                self._release()
                return "finished"
            if self.part.exists():
                check_same(self.part, self.schema, self._shapes, attributes, free_keys)
                return "resumed"
            lay_down(self.part, self.schema, sizes, attributes, groups)
            return "new"
        except UserError:
            self._release()
            raise

    def _rename(self) -> None:
        os.replace(self.part, self.path)
        sync_directory(self.path.parent)

    def _open_driver(self) -> Driver:
        if self._driver is None:
            raise RuntimeError(f"{self.path} is {'complete' if self.finished else 'closed'}: nothing can be written")
        return self._driver

    def _release(self) -> None:
        """Forget the file, on this rank."""
        self._driver = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        if self._lock is not None:
            self._lock.release()

    def _write_failure(self, name: str, index: Index, size: int, error: Exception) -> str:
        free = shutil.disk_usage(self.part.parent).free
        reason = getattr(error, "strerror", None) or str(error)
        if free < size:
            reason = f"no space left on the disk ({in_units(free)} free)"
        return f"{in_words(name, index)} cannot be written to {self.part}: {reason}"
