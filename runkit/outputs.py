"""Safe replacement of files: a program overwrites nothing that it reads, and nothing that it has not written itself.

require_replaceable(path, is_ours, reads=[source])      # before the work: a UserError, or there is nothing to lose
with written_whole(path) as beside:                     # the work goes to a file beside, which takes the name
    beside.write_text(...)
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from runkit.errors import UserError

PART = ".part"  # ends the name of an unfinished file
UNSYNCED = errno.EACCES, errno.EINVAL, errno.EPERM, errno.ENOTSUP  # of a folder: not to be read, or not to be synced
HEAD = 1 << 12  # bytes of a file by which its kind is recognised


def require_replaceable(
    path: Path | str, is_ours: Callable[[Path], bool] | None = None, reads: Iterable[Path | str] = ()
) -> None:
    """Raise UserError if writing to `path` would destroy what this program did not make, or what it reads.

    `is_ours` decides whether a file that is there is of the kind that the program writes (None: no file is replaced).
    `reads` are the program's sources, files or folders. An empty file may always be replaced.
    """
    path = as_path(path)
    about = state_of(path)
    if about is None:
        return
    for source in reads:
        read = state_of(Path(source)) if str(source) else None
        if read is not None and os.path.samestat(about, read):
            raise UserError(f"output: {path} is read by this program; choose another output")
    require_regular(path, about)
    if about.st_size and not (is_ours is not None and is_ours(path)):
        raise UserError(f"output: {path} is not a file of this program; move it away or choose another output")


def require_own_name(path: Path | str) -> None:
    """Raise UserError for a name that no file can have while it is unfinished, or that marks an unfinished file."""
    path = as_path(path)
    if path.suffix == PART:
        raise UserError(f"output: {path} ends in {PART}, the mark of an unfinished file; choose another name")
    try:
        for name in (path, part_of(path)):
            state_of(name)
    except UserError as error:
        raise UserError(f"output: {error}") from error


def part_of(path: Path) -> Path:
    """The name of a file while it is unfinished."""
    return sibling(path, PART)


def as_path(value: Path | str) -> Path:
    """A path that was given; UserError for what is none."""
    if not isinstance(value, (str, Path)) or not str(value).strip():
        raise UserError(f"{value!r} is not the path of a file")
    return Path(value)


def sibling(path: Path, ending: str) -> Path:
    """The file beside `path` that has its name and an ending; UserError for `.` and `/`, which have no name."""
    if not path.name:
        raise UserError(f"{path} is a folder, not a file; choose another output")
    return path.with_name(path.name + ending)


def state_of(path: Path) -> os.stat_result | None:
    """What is at a path, None if nothing is; UserError if there can be nothing."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{shortened(path)} cannot be used: {reason}") from error


def is_file(path: Path | str) -> bool:
    """Whether a regular file is at a path; UserError if there can be nothing."""
    about = state_of(as_path(path))
    return about is not None and stat.S_ISREG(about.st_mode)


def is_there(path: Path | str) -> bool:
    """Whether anything is at a path; nothing is where nothing can be."""
    try:
        return state_of(as_path(path)) is not None
    except UserError:
        return False


def require_regular(path: Path, about: os.stat_result | None) -> None:
    """Raise UserError for a folder, a pipe or a device, which would swallow what is written, or never answer."""
    if about is None or stat.S_ISREG(about.st_mode):
        return
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(about.st_mode), "a device")
    raise UserError(f"{path} is {kind}, not a file; choose another output")


def shortened(path: Path | str) -> str:
    """A path for a message: the middle of an endless one is left out."""
    text = str(path)
    return text if len(text) <= 200 else f"{text[:80]}…{text[-40:]}"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A new file beside `path`, which takes its name at the end; after an error nothing is left of it.

    Several processes may write one file at once: each has its own beside. It is on disk at the end. Raises UserError if
    the folder or the disk refuses.
    """
    # Short, so that a name that can be used is not refused for what is added to it.
    beside = sibling(path, "").with_name(f".{secrets.token_hex(8)}.tmp{path.suffix}")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield beside
        put_in_place(beside, path)
    except OSError as error:
        raise UserError(f"output: {shortened(path)} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def put_in_place(file: Path, path: Path) -> None:
    """Give a whole file the name `path`, so that it has it, with all of its bytes, after a power cut too."""
    _sync(file)
    os.replace(file, path)
    try:
        _sync(path.parent)
    except OSError as error:
        if error.errno not in UNSYNCED:
            raise


def _sync(path: Path) -> None:
    """Write a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def starts_with(pattern: str) -> Callable[[Path], bool]:
    """Whether a file begins with what a regular expression matches."""
    compiled = re.compile(pattern.encode("latin-1"))

    def matches(path: Path) -> bool:
        with suppress(OSError), open(path, "rb") as file:
            return compiled.match(file.read(HEAD)) is not None
        return False

    return matches


def holds_arrays(names: Collection[str]) -> Callable[[Path], bool]:
    """Whether a file is an npz with exactly these arrays."""

    def matches(path: Path) -> bool:
        with suppress(OSError, ValueError, zipfile.BadZipFile), np.load(path, allow_pickle=False) as file:
            return set(getattr(file, "files", ())) == set(names)
        return False

    return matches
