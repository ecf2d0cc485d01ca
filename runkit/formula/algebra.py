"""Values that a formula is applied to while a kernel is written: they call a machine for each operation, in order.

Which operations a formula becomes, and in which order, is decided here alone: so its results have the same bits on
every machine.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

# What NumPy calls the functions that every machine rounds alike. `greater` is 1 or 0.
OPERATIONS = frozenset({"add", "subtract", "multiply", "divide", "negative", "sqrt", "copysign", "greater"})
_ALLOWED = "+ - * / of values, np.sqrt, np.copysign, np.greater, and power, exp and rounded of runkit.formula"
_INSTEAD = {  # of what NumPy calls it: how a formula says it
    "exp": "exp of runkit.formula, from -20 to 20",
    **dict.fromkeys(("power", "float_power"), "power of runkit.formula for whole exponents from 1, and np.sqrt"),
    "square": "x * x",
    "reciprocal": "1.0 / x",
    **dict.fromkeys(("absolute", "fabs"), "np.copysign(x, 1.0)"),
    **dict.fromkeys(("less", "less_equal", "greater_equal"), "np.greater(x, y), which is 1 or 0"),
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin"), "g * x + (1.0 - g) * y with g = np.greater(x, y)"),
    "where": "g * x + (1.0 - g) * y with g = np.greater(…)",
}
_PARTS, _TERMS = 32, 16  # of `exp`

Value: TypeAlias = Any
"""What a formula is applied to, and what it gives: a value of an algebra, an array, or a number.

No union of these is its type: a type checker lets np.sqrt take no value of an algebra.
"""
V = TypeVar("V")


class FormulaError(TypeError):
    """A formula does what no kernel can be made of; the message says what it has or uses, and what to use instead."""


class Machine(Protocol[V]):
    """What does operations, on values of a kind of its own; each is rounded once."""

    def constant(self, number: float, /) -> V:
        """A number of the formula, rounded to the type of the values."""

    def fma(self, a: V, b: V, c: V, /) -> V:
        """a * b + c, rounded once."""

    def add(self, a: V, b: V, /) -> V: ...

    def subtract(self, a: V, b: V, /) -> V: ...

    def multiply(self, a: V, b: V, /) -> V: ...

    def divide(self, a: V, b: V, /) -> V: ...

    def negative(self, a: V, /) -> V: ...

    def sqrt(self, a: V, /) -> V: ...

    def copysign(self, a: V, b: V, /) -> V:
        """The size of `a` with the sign of `b`."""

    def greater(self, a: V, b: V, /) -> V:
        """1 where a > b, else 0."""


class Plain(np.lib.mixins.NDArrayOperatorsMixin):
    """A value of `machine`: every operation is done as it stands in the formula. Numbers become constants."""

    def __init__(self, machine: Machine[Any], value: Any) -> None:
        self.machine, self._value = machine, value

    @property
    def value(self) -> Any:
        """The machine's representation of it: an instruction's result, or a name in C."""
        return self._value

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            raise FormulaError(f"changes a value in place by np.{ufunc.__name__}; use x = x + y, not x += y")
        if method != "__call__" or options or ufunc.__name__ not in OPERATIONS:
            raise not_allowed(ufunc.__name__)
        return self._operate(ufunc.__name__, *(self._lifted(each) for each in inputs))

    def __array_function__(self, function: Any, kinds: Any, inputs: Any, options: Any) -> Any:
        raise not_allowed(function.__name__)

    def __array__(self, *options: Any, **more: Any) -> Any:
        raise FormulaError("puts values into an array, or computes with a list of them; use one after the other")

    def __bool__(self) -> bool:
        raise FormulaError(f"chooses by a value (if, and, or, max, …); use {_INSTEAD['where']}")

    def __float__(self) -> float:
        raise FormulaError(f"makes a plain number of a value, as functions of `math` do; allowed: {_ALLOWED}")

    __int__ = __index__ = __float__

    def _lifted(self, other: Any) -> Any:
        if isinstance(other, Plain):
            return other
        if np.ndim(other) or not isinstance(other, (int, float, np.number, np.ndarray)):
            raise FormulaError(f"combines a value with a {type(other).__name__}; allowed: values and numbers")
        return self._made(self.machine.constant(float(other)))

    def _operate(self, name: str, *operands: Any) -> Any:
        return self._made(getattr(self.machine, name)(*(each.value for each in operands)))

    def _made(self, value: Any) -> Any:
        return Plain(self.machine, value)


def not_allowed(name: str) -> FormulaError:
    """The error for a function of NumPy that machines round differently or lack."""
    return FormulaError(f"uses np.{name}; {'use ' + _INSTEAD[name] if name in _INSTEAD else 'allowed: ' + _ALLOWED}")


class Fused(Plain):
    """A value whose products wait: where one is added to something, it becomes a fused multiply-add.

    So a law written as a formula costs as few instructions as one written for the machine.
    """

    def _operate(self, name: str, *operands: Any) -> Any:
        if name == "multiply":
            return _Product(*operands)
        if name == "negative" and isinstance(operands[0], _Product):
            return operands[0].negated()
        if name in ("add", "subtract"):
            one, other = operands
            is_minus = name == "subtract"
            if isinstance(one, _Product):
                return one.plus(self.machine.negative(other.value) if is_minus else other.value)
            if isinstance(other, _Product):
                return (other.negated() if is_minus else other).plus(one.value)
        return super()._operate(name, *operands)

    def _made(self, value: Any) -> Fused:
        return Fused(self.machine, value)


class _Product(Fused):
    """a * b, not yet computed."""

    def __init__(self, a: Fused, b: Fused) -> None:
        super().__init__(a.machine, None)
        self._a, self._b = a, b

    @property
    def value(self) -> Any:
        if self._value is None:
            self._value = self.machine.multiply(self._a.value, self._b.value)
        return self._value

    def plus(self, value: Any) -> Fused:
        """a * b + value, rounded once."""
        return self._made(self.machine.fma(self._a.value, self._b.value, value))

    def negated(self) -> _Product:
        return _Product(-self._a, self._b)


def value_of(machine: Machine[V], result: Value) -> V:
    """The representation in `machine` of a formula's result, which may be a number."""
    found: V = result.value if isinstance(result, Plain) else machine.constant(float(result))
    return found


def rounded(value: Value) -> Value:
    """The value itself, rounded before anything is added to it: a product that no multiply-add takes in."""
    return value._made(value.value) if isinstance(value, Plain) else value


def exp(x: Value) -> Value:
    """e^x for x from -20 to 20, by arithmetic alone: the series of x / 32 to its sixteenth term, raised to 32.

    Its relative error is below 1e-13 there in double precision, and 1e-5 in single precision.
    """
    y = x * (1 / _PARTS)
    result: Value = 1.0
    for k in range(_TERMS, 0, -1):
        result = 1.0 + y * result * (1 / k)
    return power(result, _PARTS)


def power(base: Value, exponent: int) -> Value:
    """base^exponent for a whole exponent from 1, by squaring: the same products for arrays and for registers.

    Raises FormulaError for any other exponent.
    """
    if not isinstance(exponent, (int, np.integer)) or exponent < 1:
        raise FormulaError(f"takes power with exponent = {exponent}; allowed: whole numbers from 1, and np.sqrt")
    result = None
    while True:
        if exponent % 2:
            result = base if result is None else result * base
        exponent //= 2
        if not exponent:
            return result
        base = base * base
