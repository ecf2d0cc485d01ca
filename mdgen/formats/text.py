"""Text files as practitioners have them: gzip or not, any encoding, a byte order mark, Fortran's exponents."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import numpy as np

from runkit.arrays import F64, I64
from runkit.errors import UserError

GZIP = b"\x1f\x8b"


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """A file's bytes, unpacked if it is gzip by content, whatever its name."""
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.open(file) as content:
            yield content  # type: ignore[misc]


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of every line. Bytes that are not UTF-8 stand in titles, so they are no error."""
    with unpacked(path) as file, TextIOWrapper(file, encoding="utf-8-sig", errors="replace") as text:
        for number, line in enumerate(text, start=1):
            yield number, line.rstrip("\n")


@dataclass(frozen=True)
class Table:
    """Rows of cells, each with the number of its line; a mistake names file and line."""

    path: Path
    line: Sequence[int]
    cells: Sequence[list[str]]

    @classmethod
    def of(cls, path: Path, rows: Sequence[tuple[int, str]]) -> Table:
        """The cells of (number, text) of lines."""
        return cls(path, [number for number, _ in rows], [text.split() for _, text in rows])

    def require_width(self, least: int, most: int | None, why: str) -> None:
        """Raise `UserError` for the first row that has not `least` to `most` cells."""
        for number, row in zip(self.line, self.cells, strict=True):
            if len(row) < least or (most is not None and len(row) > most):
                wanted = least if most == least else f"{least} or more" if most is None else f"{least} to {most}"
                raise UserError(f"{self.path}, line {number}: {len(row)} columns, but {why} has {wanted}")

    def text(self, column: int) -> list[str]:
        """A column as it is written."""
        return [row[column] for row in self.cells]

    def numbers(self, *columns: int) -> F64:
        """Columns as float64 [rows, columns]; 1.5D+00 is a number too."""
        cells = [[row[column] for column in columns] for row in self.cells]
        try:
            return np.array(cells, dtype=np.float64).reshape(len(cells), len(columns))
        except ValueError:
            rows = zip(self.line, cells, strict=True)
            return np.array([[number(cell, f"{self.path}, line {k}") for cell in row] for k, row in rows])

    def integers(self, column: int, what: str) -> I64:
        """A column of whole numbers; 1.5 is none."""
        for k, cell in zip(self.line, self.text(column), strict=True):
            if not is_integer(cell):
                raise UserError(f"{self.path}, line {k}: {what} {cell!r} is not a whole number")
        return np.array(self.text(column), dtype=np.int64)


def number(text: str, where: str) -> float:
    """A number, also with Fortran's exponent; raises `UserError` that begins with `where`."""
    try:
        return float(text.replace("D", "e").replace("d", "e"))
    except ValueError:
        raise UserError(f"{where}: {text!r} is not a number") from None


def is_integer(text: str) -> bool:
    """Whether text is a whole number of at most 18 digits."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isascii() and digits.isdigit() and len(digits) <= 18
