"""Arguments of public functions: what they must be, and one line if they are not.

Values come from anybody, so nothing is taken for granted: every function here raises `UserError` with the name of the
argument, whatever it is given.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real

import numpy as np

from runkit.arrays import F64, Array
from runkit.errors import UserError


def numbers(name: str, values: object, what: str = "numbers") -> F64:
    """Real numbers as an array of float64 of any shape, finite or not; `what` is needed in the words of the caller."""
    return real(name, values, what).astype(np.float64)


def real(name: str, values: object, what: str = "numbers") -> Array:
    """As `numbers`, but of the type that they have; nothing is copied that is an array of numbers already."""
    array = as_array(name, values)
    try:
        if array.dtype.kind == "O":  # numbers beyond 64 bits, or no numbers
            if any(value is None for value in array.flat):  # NumPy makes NaN of it
                raise UserError(f"{name}: {what} are needed, not None")
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{name}: {what} are needed: {_line(error)}") from error
    if array.dtype.kind not in "iuf":
        raise UserError(f"{name}: {what} are needed, not {array.dtype}")
    return array


def alike(name: str, values: object, whose: str, other: F64) -> F64:
    """Finite numbers of the shape of another argument, `whose`."""
    found = numbers(name, values)
    if found.shape != other.shape or not np.isfinite(found).all():
        raise UserError(f"{name}: finite numbers of the shape of {whose} {other.shape} are needed")
    return found


def as_array(name: str, values: object) -> Array:
    """What was given as an array of whatever type; rows of several lengths and masked values are none."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{name}: an array is needed: {_line(error)}") from error
    if np.ma.is_masked(values):
        raise UserError(f"{name}: some values are masked; all are needed")
    return array


def positive(name: str, value: object, least: float = 0.0, most: float = math.inf) -> float:
    """A finite number above 0, in a range that includes both ends."""
    number = _real(value)
    if not (math.isfinite(number) and number > 0 and least <= number <= most):
        allowed = f" from {least:g} to {most:g}" if least > 0 else ""
        raise UserError(f"{name} = {shown(value)}: a positive number{allowed} is needed")
    return number


def whole(name: str, value: object, least: int, most: int) -> int:
    """A whole number in a range that includes both ends."""
    if isinstance(value, bool) or not (isinstance(value, Integral) and least <= int(value) <= most):
        raise UserError(f"{name} = {shown(value)}: a whole number from {least} to {most} is needed")
    return int(value)


def one_of(name: str, value: object, allowed: Collection[str]) -> str:
    """One of some words."""
    if not (isinstance(value, str) and value in allowed):
        raise UserError(f"{name} = {shown(value)} is not allowed; allowed: {', '.join(allowed)}")
    return value


def float_type(name: str, value: object) -> str:
    """The name "float32" or "float64", from this name or NumPy's type."""
    is_known = isinstance(value, (str, type, np.dtype))
    for known in ("float32", "float64"):
        if is_known and value in (known, np.dtype(known), np.dtype(known).type):
            return known
    raise UserError(f"{name} = {shown(value)}: 'float32' or 'float64' is needed")


def shown(value: object) -> str:
    """A value in one short line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _real(value: object) -> float:
    try:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else float("nan")
    except OverflowError:
        return float("inf")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
