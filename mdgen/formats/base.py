"""The base of file formats, and the frame that a reader yields: values as they stand in the file, not yet checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import ArrayLike

from runkit.arrays import F64, Array
from runkit.registry import ClassRegistry


@dataclass(frozen=True)
class Frame:
    """One configuration as it stands in a file; None or empty is what the file does not have.

    `species` are the names that the file uses. `labels` orders them where the file does, `first` is the number of the
    first species in a format that counts from it. `mass` is that of each particle; `identity` numbers particles that
    may stand in any order; `line` is where each particle stands in a text file.
    """

    position: F64  # [n, 3]
    species: Sequence[str]
    cell: ArrayLike | None = None  # one edge, three edges, or nine numbers of three vectors
    place: str = ""  # such as "frame 3"
    time: str = ""  # where a frame may show the structure of the frame before with the labels of another time
    origin: Sequence[float] = (0.0, 0.0, 0.0)
    labels: Sequence[str] = ()
    first: int | None = None
    temperature: float | None = None
    density: float | None = None  # of all files of this format that hold no box
    periodic: Sequence[bool] = ()
    mass: F64 | None = None
    units: str = "lj"
    identity: Array | None = None
    line: Sequence[int] = ()


Frames = Iterator[Callable[[], Frame]]  # a frame is parsed when it is called: skipped frames cost little


class Format:
    """Base of all readers; a subclass registers its name with `@file_format(name)`, in a file of its own."""

    suffixes: tuple[str, ...] = ()
    needs_file = False  # whether a library opens the file, which can't be gzip then
    in_time = False  # whether the frames of a file are moments of one trajectory

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins with `head` (unpacked) is of this format."""
        raise NotImplementedError

    @staticmethod
    def frames(path: Path) -> Frames:
        """The frames of a file; raises `UserError` where it is broken, or what NumPy and the libraries raise."""
        raise NotImplementedError


file_format: ClassRegistry[Format] = ClassRegistry("file format", "mdgen.formats")
