"""Selections of leading integers and slices, as boxes and as contiguous runs of elements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

Index = int | slice | tuple[int | slice, ...]


def box(shape: tuple[int, ...], index: Index) -> tuple[tuple[slice, ...], tuple[int, ...]]:
    """(slices over all axes, shape of the selected array) of `array[index]`; IndexError if it does not fit.

    An integer drops its axis, an axis that is not named is taken whole, steps are 1.
    """
    given = index if isinstance(index, tuple) else (index,)
    if len(given) > len(shape):
        raise IndexError(f"{len(given)} indices for {len(shape)} axes")
    slices: list[slice] = []
    selected: list[int] = []
    for length, item in itertools.zip_longest(shape, given, fillvalue=slice(None)):
        assert isinstance(length, int)
        if isinstance(item, slice):
            start, stop, step = item.indices(length)
            if step != 1:
                raise IndexError(f"slices have step 1, not {step}")
            slices.append(slice(start, max(start, stop)))
            selected.append(max(0, stop - start))
        else:
            position = int(item)
            if not 0 <= position < length:
                raise IndexError(f"index {position} is outside 0 to {length - 1}")
            slices.append(slice(position, position + 1))
    return tuple(slices), tuple(selected)


def runs(shape: tuple[int, ...], slices: tuple[slice, ...]) -> Iterator[tuple[int, int]]:
    """(first element, number of elements) of each contiguous run of a box, in C order."""
    counts = [item.stop - item.start for item in slices]
    if 0 in counts:
        return
    axis = len(shape)
    while axis > 0 and counts[axis - 1] == shape[axis - 1]:
        axis -= 1
    axis = max(axis - 1, 0)
    inner = math.prod(shape[axis + 1 :])
    length = (counts[axis] if counts else 1) * inner
    strides = [math.prod(shape[position + 1 :]) for position in range(len(shape))]
    first = slices[axis].start * strides[axis] if counts else 0
    for outer in itertools.product(*(range(item.start, item.stop) for item in slices[:axis])):
        yield first + sum(place * stride for place, stride in zip(outer, strides, strict=False)), length


def in_words(name: str, index: Index) -> str:
    """A selection for a message: position[3, :, 1]."""
    items: tuple[Any, ...] = index if isinstance(index, tuple) else (index,)
    return f"{name}[{', '.join(_item(item) for item in items)}]" if items else name


def _item(item: Any) -> str:
    if not isinstance(item, slice):
        return str(int(item))
    return f"{'' if item.start is None else item.start}:{'' if item.stop is None else item.stop}"
