"""Do two files hold the same data, bit by bit?

    python -m tools.same_data ONE.h5 OTHER.h5

Every field is compared by its bytes. Attributes are not: they hold when and by what a file was made. Exit code
1 if anything differs.
"""

from __future__ import annotations

import sys

import numpy as np

from runkit.dataset.reader import Dataset
from runkit.errors import UserError, in_one_line


def differing(one: str, other: str) -> list[str]:
    """A line for each field that differs, and by how much; raises UserError for files of different kinds."""
    with Dataset(one) as a, Dataset(other) as b:
        if a.schema.name != b.schema.name:
            raise UserError(f"{one} is {a.schema.name}, {other} is {b.schema.name}: allowed: two files of one kind")
        found = []
        for field in a.schema.fields:
            if field.name not in a or field.name not in b:
                if (field.name in a) != (field.name in b):
                    found.append(f"{field.name}: in one file only")
                continue
            left, right = a[field.name][...], b[field.name][...]
            if left.tobytes() != right.tobytes() or left.shape != right.shape:
                found.append(f"{field.name}: {_how(left, right)}")
        return found


def _how(left: np.ndarray, right: np.ndarray) -> str:
    if left.shape != right.shape:
        return f"shapes {left.shape} and {right.shape}"
    if left.dtype.kind != "f":
        return "differs"
    away = np.abs(left - right)
    return f"{np.sum(~(left == right))} of {left.size} values, by up to {np.nanmax(away, initial=0):.3g}"


@in_one_line()
def main(words: list[str] | None = None) -> int:
    paths = sys.argv[1:] if words is None else words
    if len(paths) != 2:
        raise UserError("two files are needed: python -m tools.same_data ONE.h5 OTHER.h5")
    found = differing(*paths)
    print("\n".join(found) if found else f"{paths[0]} and {paths[1]}: the same data, bit by bit")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
