"""Values that a formula is applied to while a kernel is written: they call a machine for each operation, in order.

Which operations a formula becomes, and in which order, is decided here alone: so its results have the same bits on
every machine.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

# What NumPy calls the functions that every machine rounds alike. `greater` is 1 or 0.
OPERATIONS = frozenset({"add", "subtract", "multiply", "divide", "negative", "sqrt", "copysign", "greater"})
_PARTS, _TERMS = 32, 16  # of `exp`

Value: TypeAlias = Any
"""What a formula is applied to, and what it gives: an array, a number, or a value of an algebra.

Nothing but the operations is used of it, which no common type of these expresses.
"""
V = TypeVar("V")


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
        if method != "__call__" or options or ufunc.__name__ not in OPERATIONS:
            raise NotImplementedError(f"np.{ufunc.__name__}: a formula has {', '.join(sorted(OPERATIONS))}")
        return self._operate(ufunc.__name__, *(self._lifted(each) for each in inputs))

    def _lifted(self, other: Any) -> Any:
        return other if isinstance(other, Plain) else self._made(self.machine.constant(float(other)))

    def _operate(self, name: str, *operands: Any) -> Any:
        return self._made(getattr(self.machine, name)(*(each.value for each in operands)))

    def _made(self, value: Any) -> Any:
        return Plain(self.machine, value)


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
    """base^exponent for a whole exponent from 1, by squaring: the same products for arrays and for registers."""
    if exponent < 1:
        raise ValueError(f"exponent = {exponent}; allowed: 1 or more")
    result = None
    while True:
        if exponent % 2:
            result = base if result is None else result * base
        exponent //= 2
        if not exponent:
            return result
        base = base * base
