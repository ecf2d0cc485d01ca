"""Writing a dataset file: lay down, fill, seal.

    writer = Writer.open(world, "data/case.h5", ISOCONFIG, sizes, {"config": config, "seed": 1})
    writer.write("position", (sample, slice(None), replica), position)     # any rank, at any time
    writer.mark("propagated", (sample, replica), COMPLETE)                 # data and checksums, on disk; then the flag
    writer.sync()                                                          # all ranks: now each reads what others wrote
    writer.seal()                                                          # all ranks: the file gets its name

The file is `case.h5.part` until it is sealed. After layout only raw data is written, so it stays readable when any rank
dies at any moment, and `open` with the same configuration goes on with it; units whose bytes have changed since are
made again. What happens to the file from outside meanwhile (deleted, renamed, truncated) ends the run at the next unit
of work: nobody else writes to it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from runkit.arrays import Array
from runkit.dataset.checksums import HEADER, Checksums, arrays_of, fields_of_sums, sums_of
from runkit.dataset.claim import Claim, How
from runkit.dataset.drivers import Driver, check_driver, open_driver
from runkit.dataset.layout import Groups, dtype_of, lay_down, replace_attributes, why_not_written
from runkit.dataset.lock import FileLock
from runkit.dataset.reader import BROKEN, whole
from runkit.dataset.resume import has_sums
from runkit.dataset.schema import PENDING, Schema
from runkit.dataset.scratch import Scratch
from runkit.dataset.selection import Index, box, in_words
from runkit.dataset.verify import verify
from runkit.efficiency import FILE, count_bytes, counted
from runkit.errors import UserError
from runkit.mpi import World
from runkit.outputs import part_of, put_in_place, require_replaceable, sibling, state_of


class Writer:
    """One file that all ranks of `world` fill; made by `Writer.open`.

    `state` is "new", "resumed" or "finished": the file was there, whole and of the same configuration, nothing to do.
    """

    def __init__(self, world: World, path: Path, schema: Schema, sizes: Mapping[str, int]) -> None:
        self.world, self.path, self.schema = world, path, schema
        self.part = part_of(path)
        self.state = "new"
        self._fields = {field.name: field for field in arrays_of(schema)}
        self._shapes = {name: field.shape(dict(sizes)) for name, field in self._fields.items()}
        self.checksums: Checksums | None = Checksums(schema, self._shapes, self._read)  # None: older code made the file
        self._driver: Driver | None = None
        self._descriptor, self._size = -1, 0  # bytes of the file, which never change
        self._lock: FileLock | None = None

    @classmethod
    @counted(FILE)
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
        replace: bool = False,
        reads: Sequence[Path | str] = (),
        verified: bool = True,
    ) -> Writer:
        """Lay the file down, or go on with an unfinished one; collective.

        `attributes["config"]` holds the resolved configuration as nested tables; an existing file must have been made
        with the same one, apart from the dotted `free_keys`. `attributes["inputs"]`, if given, holds the digests of
        files that the run reads (`runkit.digest`), which must be the same too. With `replace` a file of the same schema
        makes room instead. `groups` adds attributes to groups of the schema; `reads` are the sources of the data.
        Units of an unfinished file that are not what was written become pending again; not with `verified=False`.
        Raises UserError on all ranks: another configuration, a file that is read or not ours, no such directory, no
        room, another run on the same file.
        """
        writer = cls(world, Path(path), schema, sizes)
        check_driver(world, driver)
        about = {**attributes, "mpi_library": world.library}
        writer.state = world.on_root(writer._prepare, sizes, about, groups or {}, How(free_keys, replace, reads))
        if not writer.finished:
            writer._open_part(driver, verified)
        return writer

    def _open_part(self, driver: str, verified: bool) -> None:
        """Open the unfinished file for data, and look at what is in it; collective."""
        try:
            self._descriptor = os.open(self.part, os.O_RDWR)
            self._size = os.fstat(self._descriptor).st_size
            with whole(self.part):  # somebody may cut it at any moment
                self._driver = open_driver(self.world, self.part, driver)
            of_sums = {field.name: self._shapes[field.name] for field in fields_of_sums(self.schema)}
            if self.state == "resumed" and not self.world.on_root(has_sums, self.part, of_sums):
                self.checksums = None
            if self.state == "resumed" and verified:
                verify(self)
        except (OSError, UserError) as error:
            self._release()
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self.part} cannot be opened: {error.strerror or error}") from error

    @property
    def finished(self) -> bool:
        """Whether the file was complete before; nothing can be written."""
        return self.state == "finished"

    @property
    def method(self) -> str:
        """How ranks write, for the log."""
        return self._driver.name if self._driver else "nothing to write"

    @property
    def scratch(self) -> Scratch:
        """The folder beside an unfinished file where units of work keep their checkpoints."""
        return Scratch(sibling(self.path, ".checkpoints"))

    def shape(self, name: str) -> tuple[int, ...]:
        """Lengths of the axes of a field."""
        return self._shapes[name]

    @counted(FILE)
    def write(self, name: str, index: Index, values: ArrayLike) -> None:
        """Store `values` in `name[index]`; not collective. Raises UserError if the disk refuses."""
        driver = self._open_driver()
        slices, shape = box(self._shapes[name], index)
        array = np.asarray(values).astype(dtype_of(self._fields[name]), order="C", casting="same_kind", copy=False)
        if array.shape != shape:
            raise ValueError(f"{in_words(name, index)} has shape {shape}, not {array.shape}")
        try:
            driver.write(name, slices, array)
            count_bytes(array.nbytes)
        except BROKEN as error:
            why = why_not_written(self.part, array.nbytes, error)
            raise UserError(f"{in_words(name, index)} cannot be written to {self.part}: {why}") from error

    def write_text(self, name: str, index: Index, words: str) -> None:
        """Store words, as many as the field holds; not collective."""
        dtype = dtype_of(self._fields[name])
        self.write(name, index, np.array(words.encode()[: dtype.itemsize], dtype))

    @counted(FILE)
    def read(self, name: str, index: Index = ()) -> Array:
        """The array `name[index]`; not collective. What other ranks wrote is there after `sync`."""
        slices, shape = box(self._shapes[name], index)
        return self._read(name, slices).reshape(shape)

    def _read(self, name: str, index: tuple[slice, ...]) -> Array:
        driver = self._open_driver()
        try:
            return driver.read(name, index)
        except BROKEN as error:
            raise UserError(f"{in_words(name, index)} cannot be read from {self.part}: {error}") from error

    def pending(self, stage: str) -> list[tuple[int, ...]]:
        """Units of a stage that are still to be done, the same list on every rank; collective.

        Root alone reads the flags: a rank that is late would miss units that a fast one has done meanwhile, and the two
        would share out different lists.
        """
        units = self.world.on_root(lambda: np.argwhere(self.read(stage) == PENDING).tolist())
        return [tuple(unit) for unit in units]

    def mark(self, name: str, index: Index, status: int) -> None:
        """Set the status of units, after all that this rank has written is on disk with checksums; not collective.

        Nothing may be written to these units afterwards. Raises UserError if the file has been deleted, moved or
        truncated from outside.
        """
        slices, _ = box(self._shapes[name], index)
        if status != PENDING and self.checksums is not None:
            for unit in product(*(range(part.start, part.stop) for part in slices)):
                self.write(sums_of(name), unit, self.checksums.of(name, unit, status))
        self.set_flag(name, index, status)

    def set_flag(self, name: str, index: Index, status: int) -> None:
        """Set the status of units that have checksums already; not collective."""
        self.to_disk()
        self._require_same_file()
        _, shape = box(self._shapes[name], index)
        self.write(name, index, np.full(shape, status, dtype_of(self._fields[name])))

    @counted(FILE)
    def to_disk(self) -> None:
        """Bring all that this rank has written to disk; not collective."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise UserError(f"{self.part} cannot be brought to disk: {error.strerror}") from error

    @counted(FILE)
    def sync(self) -> None:
        """From here on every rank reads what any rank wrote before; collective."""
        self._open_driver().flush()
        self.to_disk()
        self.world.barrier()

    @counted(FILE)
    def seal(self, attributes: Mapping[str, int] | None = None) -> None:
        """Give the file its name; collective. Raises UserError if units are pending.

        `attributes` are numbers of the file that are known only now, in place of those it was laid down with.
        """
        self.sync()
        pending = {stage.name: int(np.sum(self.read(stage.name) == PENDING)) for stage in self.schema.stages}
        if any(pending.values()):
            open_units = ", ".join(f"{name}: {count}" for name, count in pending.items() if count)
            raise UserError(f"{self.part} is not complete; pending units: {open_units}")
        if self.checksums is not None and self.world.is_root:
            self.write(HEADER, (), self.checksums.of_header())
            self.to_disk()
        self._open_driver().close()
        self._driver = None
        self.world.on_root(self._rename, attributes or {})
        self._release()
        self.state = "finished"

    @counted(FILE)
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
        elif self.world.size == 1:  # who has caught it may try again
            if self._driver is not None:
                self._driver.close()
            self._release()

    def _prepare(self, sizes: Mapping[str, int], attributes: Mapping[str, Any], groups: Groups, how: How) -> str:
        """On root: find out what is there, lock it, lay down what is not; returns the state."""
        shapes = {field.name: self._shapes[field.name] for field in self.schema.fields}
        claim = Claim(self.path, self.part, self.scratch, self.schema)
        state, self._lock = claim.take(shapes, attributes, how)
        if state == "new":
            try:
                lay_down(self.part, self.schema, sizes, attributes, groups)
            except UserError:
                self._release()
                raise
        return state

    def _rename(self, attributes: Mapping[str, int]) -> None:
        self._require_same_file()
        try:
            require_replaceable(self.path)
            with whole(self.part):
                replace_attributes(self.part, attributes)
            put_in_place(self.part, self.path)
        except OSError as error:
            raise UserError(f"{self.part} cannot get its name {self.path}: {error.strerror}") from error

    def _require_size(self) -> None:
        """Raise UserError if somebody has cut the file: what is written now would leave a hole of zeros."""
        if os.fstat(self._descriptor).st_size < self._size:
            raise UserError(f"{self.part} was truncated in mid-run; delete it and run again")

    def _require_same_file(self) -> None:
        """Raise UserError if what has the file's name is another file, or nothing."""
        self._require_size()
        found = state_of(self.part)
        if found is None or not os.path.samestat(found, os.fstat(self._descriptor)):
            fate = "deleted or renamed" if found is None else "replaced by another file"
            raise UserError(f"{self.part} was {fate} in mid-run; what has been computed since cannot be kept there")

    def _open_driver(self) -> Driver:
        if self._driver is None:
            raise RuntimeError(f"{self.path} is {'complete' if self.finished else 'closed'}: nothing can be written")
        self._require_size()
        return self._driver

    def _release(self) -> None:
        """Forget the file, on this rank."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._driver, self._descriptor = None, -1
        if self._lock is not None:
            self._lock.release()
