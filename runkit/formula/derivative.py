"""The derivative of a formula, exact, by the rules of differentiation applied to each of its operations.

A value goes through the formula together with its slope (forward mode), so the same text gives U(r) and its
derivatives, for arrays and for values of an algebra alike.

Source: R. E. Wengert, Commun. ACM 7, 463 (1964), doi:10.1145/355586.364791.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runkit.formula.algebra import Value, not_allowed

RULES: dict[str, Callable[..., Dual]] = {
    "add": lambda a, b: Dual(a.value + b.value, _sum(a.slope, b.slope)),
    "subtract": lambda a, b: Dual(a.value - b.value, _sum(a.slope, _scaled(b.slope, -1.0))),
    "multiply": lambda a, b: Dual(a.value * b.value, _sum(_scaled(a.slope, b.value), _scaled(b.slope, a.value))),
    "divide": lambda a, b: _quotient(a, b),
    "negative": lambda a: Dual(-a.value, _scaled(a.slope, -1.0)),
    "sqrt": lambda a: _root(a),
    "copysign": lambda a, b: _signed(a, b),
    "greater": lambda a, b: Dual(np.greater(a.value, b.value) * 1.0),
}


class Dual(np.lib.mixins.NDArrayOperatorsMixin):
    """A value and its slope, which is None where nothing varies."""

    def __init__(self, value: Value, slope: Value = None) -> None:
        self.value, self.slope = value, slope

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Dual:
        if method != "__call__" or options or ufunc.__name__ not in RULES:
            raise not_allowed(ufunc.__name__)
        return RULES[ufunc.__name__](*(each if isinstance(each, Dual) else Dual(each) for each in inputs))


def with_slope(formula: Callable[..., Value], value: Value, *constants: Value) -> tuple[Value, Value]:
    """formula(value, *constants) and its derivative by `value`; raises FormulaError for what no formula has."""
    found = formula(Dual(value, 1.0), *(Dual(each) for each in constants))
    return (found.value, 0.0 if found.slope is None else found.slope) if isinstance(found, Dual) else (found, 0.0)


def _sum(a: Value, b: Value) -> Value:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _scaled(slope: Value, factor: Value) -> Value:
    return None if slope is None else slope * factor


def _quotient(a: Dual, b: Dual) -> Dual:
    ratio = a.value / b.value
    slope = _sum(a.slope, None if b.slope is None else -(b.slope * ratio))
    return Dual(ratio, None if slope is None else slope / b.value)


def _signed(a: Dual, b: Dual) -> Dual:
    sign = np.copysign(1.0, a.value) * np.copysign(1.0, b.value)
    return Dual(np.copysign(a.value, b.value), _scaled(a.slope, sign))


def _root(a: Dual) -> Dual:
    root = np.sqrt(a.value)
    return Dual(root, None if a.slope is None else a.slope / (root * 2.0))
