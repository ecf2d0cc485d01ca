"""Formulas that are tried before any work: what no kernel can be made of is refused in one line.

A formula is applied to values of a machine that computes nothing, so a trial costs less than a millisecond and shows
what a kernel would meet: a function without an instruction, a choice by a value, a column that is not there, results
of another number.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from runkit.errors import UserError
from runkit.formula.algebra import FormulaError, Plain, Value, value_of


class _Nothing:
    """A machine that does nothing."""

    def constant(self, number: float) -> None:
        if not math.isfinite(number):
            raise FormulaError(f"has the constant {number}; allowed: finite numbers")

    def _done(self, *values: None) -> None:
        return None

    fma = add = subtract = multiply = divide = negative = sqrt = copysign = greater = _done


def symbols(count: int) -> list[Value]:
    """Values to try a formula with."""
    return [Plain(_Nothing(), None) for _ in range(count)]


@contextmanager
def refused(name: str, formula: Callable[..., Any]) -> Iterator[None]:
    """Make a UserError, which begins with `name`, of what goes wrong while `formula` is applied to `symbols`."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{name} ({_place(error, formula)}) {_what(error)}") from error


def require_values(results: Any, count: int) -> None:
    """Raise FormulaError unless a formula has given a sequence of `count` values or numbers."""
    given = list(results) if isinstance(results, Sequence) else None
    if given is None or len(given) != count:
        found = f"a {type(results).__name__}" if given is None else f"{len(given)} values"
        raise FormulaError(f"gives {found}; needed: {count} values")
    for each in given:
        require_value(each)


def require_value(result: Any) -> None:
    """Raise FormulaError unless a formula has given one value, or a number."""
    if not isinstance(result, (Plain, int, float, np.number)):
        raise FormulaError(f"gives a {type(result).__name__}; needed: one value")
    value_of(_Nothing(), result)


def _what(error: Exception) -> str:
    if isinstance(error, FormulaError):
        return str(error)
    if isinstance(error, AttributeError) and (isinstance(error.obj, SimpleNamespace) or is_dataclass(error.obj)):
        names = [field.name for field in fields(error.obj)] if is_dataclass(error.obj) else vars(error.obj)
        return f"uses {error.name!r}, which is not there; there are: {', '.join(names)}"
    return f"cannot be applied to values: {type(error).__name__}: {error}"


def _place(error: Exception, formula: Callable[..., Any]) -> str:
    """The line in the file of the formula that went wrong; where its result is wrong, its first line."""
    code = getattr(formula, "__code__", None)
    if code is None:
        return f"of {type(formula).__module__}"
    reached = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    inside = next((k for k, (own, _) in enumerate(reached) if own is code), len(reached))
    lines = [line for own, line in reached[inside:] if own.co_filename == code.co_filename]
    return f"{code.co_filename}:{lines[-1] if lines else code.co_firstlineno}"
