"""Elements of an array as a tuple, which is what formulas in kernels take."""

from collections.abc import Callable
from typing import Any

from numba.np.unsafe.ndarray import to_fixed_tuple

from runkit.simd.parts import helper


def first_elements(count: int) -> Callable[..., Any]:
    """A function of a one-dimensional array, for kernels: its first `count` elements as a tuple."""

    @helper
    def elements(array):  # type: ignore[no-untyped-def]  # Numba infers its types
        return to_fixed_tuple(array[:count], count)  # type: ignore[call-arg]  # an intrinsic: Numba passes the first

    found: Callable[..., Any] = elements
    return found
