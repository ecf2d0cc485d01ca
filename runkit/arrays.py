"""Names of array types, for annotations: what an array holds. Its shape and its unit stand in the docstring."""

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
