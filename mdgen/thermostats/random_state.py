"""Philox generators: a second one beside each, and an array of integers, so that a checkpoint needs no pickling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def jumped(stream: np.random.Generator) -> np.random.Generator:
    """A generator 2^128 numbers ahead of a Philox one: the two never meet."""
    philox = stream.bit_generator
    if not isinstance(philox, np.random.Philox):
        raise TypeError(f"a Philox stream is needed, not {type(philox).__name__}")
    return np.random.Generator(philox.jumped())


def pack(streams: Sequence[np.random.Generator]) -> NDArray[np.uint64]:
    """The full state of Philox generators, uint64 [n_streams, 13]."""
    return np.array([_row(stream.bit_generator.state) for stream in streams], dtype=np.uint64).reshape(-1, 13)


def unpack(packed: NDArray[np.uint64]) -> list[np.random.Generator]:
    """Generators that go on where those given to `pack` stood."""
    return [_generator(np.asarray(row, dtype=np.uint64)) for row in packed]


def _row(state: Mapping[str, Any]) -> list[int]:
    if state["bit_generator"] != "Philox":
        raise TypeError(f"a Philox stream is needed, not {state['bit_generator']}")
    place = [state["buffer_pos"], state["has_uint32"], state["uinteger"]]
    return [*state["state"]["counter"], *state["state"]["key"], *state["buffer"], *place]


def _generator(row: NDArray[np.uint64]) -> np.random.Generator:
    philox = np.random.Philox()
    philox.state = {
        "bit_generator": "Philox",
        "state": {"counter": row[:4].copy(), "key": row[4:6].copy()},
        "buffer": row[6:10].copy(),
        "buffer_pos": int(row[10]),
        "has_uint32": int(row[11]),
        "uinteger": int(row[12]),
    }
    return np.random.Generator(philox)
