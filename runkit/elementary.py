"""Elementary functions whose bits do not depend on the kind of processor: those of the C library, value by value.

NumPy has vectorised forms of its own for some kinds of processor. With AVX-512 its exp and power round one value in
twenty otherwise than with AVX2, on aarch64 its hypot one in eight (NumPy 2.4), and sums of `einsum` and `@` follow the
width of vectors. The functions of glibc agree on x86-64 and aarch64 (`docs/validation.md`). What reaches a file is made
of these, of + - * / and of square roots, which all processors round alike; a linter refuses the others
(`pyproject.toml`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from runkit.arrays import F64, Array


def _of_each(function: Callable[[float], float]) -> Callable[[ArrayLike], F64]:
    """`function` of every value of an array of any shape, in float64."""

    def of_each(values: ArrayLike) -> F64:
        array = np.asarray(values, np.float64)
        return np.fromiter(map(function, array.ravel().tolist()), np.float64, array.size).reshape(array.shape)

    return of_each


exp = _of_each(math.exp)
sin = _of_each(math.sin)
cos = _of_each(math.cos)


def power(values: ArrayLike, exponent: float) -> F64:
    """Every value, not negative, to one power, infinity where that is too large; NumPy's `**` has the same bits
    everywhere for exponents 2, 1, 0.5 and -1 alone."""

    def raised(value: float) -> float:
        try:
            return math.pow(value, exponent)
        except OverflowError:
            return math.inf

    return _of_each(raised)(values)


def sinc(values: ArrayLike) -> F64:
    """sin(x) / x, 1 at 0."""
    array = np.asarray(values, np.float64)
    return np.divide(sin(array), array, out=np.ones_like(array), where=array != 0)


def squared_length(vector: Array) -> Array:
    """Squares of vectors [..., d], added up from the first component on."""
    total: Array = vector[..., 0] * vector[..., 0]
    for k in range(1, vector.shape[-1]):
        total = total + vector[..., k] * vector[..., k]
    return total
