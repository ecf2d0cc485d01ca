"""Names of array types for annotations, by what an array holds; its shape and its unit stand in the docstring."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.floating[Any]]  # float32 or float64
F64: TypeAlias = NDArray[np.float64]
F32: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.integer[Any]]
I64: TypeAlias = NDArray[np.int64]
I32: TypeAlias = NDArray[np.int32]
Bools: TypeAlias = NDArray[np.bool_]
DType: TypeAlias = np.dtype[Any] | type[np.generic]


def rounded_up(number: int, unit: int) -> int:
    """`number` rounded up to a multiple of `unit`, such as the sites of a vector or the threads of a block."""
    return -(-number // unit) * unit
