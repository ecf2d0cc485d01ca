"""Arithmetic while a kernel is written: what collision laws are applied to, whatever the machine.

A product is not computed before it is needed: where it is added to something, it becomes a fused multiply-add, so that
a law written as a formula costs as few instructions as one written for the machine. Which operations there are, and in
which order, is decided here alone, and every one of them is rounded once: so a site has the same bits on every machine.

A machine writes the operations on its own kind of values: `constant(number)`, `negate(a)`, `add(a, b)`,
`subtract(a, b)`, `multiply(a, b)`, `divide(a, b)`, `fma(a, b, c)` = a * b + c and `root(a)`.
"""

from __future__ import annotations


class Register:
    """A value of `machine`; numbers beside it become constants."""

    def __init__(self, machine, value):
        self.machine, self.value = machine, value

    def __add__(self, other):
        other = self._lift(other)
        if isinstance(other, Product):
            return other.plus(self)
        return Register(self.machine, self.machine.add(self.value, other.value))

    def __neg__(self):
        return Register(self.machine, self.machine.negate(self.value))

    def __sub__(self, other):
        other = self._lift(other)
        if isinstance(other, Product):
            return (-other).plus(self)
        return Register(self.machine, self.machine.subtract(self.value, other.value))

    def __mul__(self, other):
        return Product(self, self._lift(other))

    def __truediv__(self, other):
        return Register(self.machine, self.machine.divide(self.value, self._lift(other).value))

    def __radd__(self, other):
        return self._lift(other) + self

    def __rsub__(self, other):
        return self._lift(other) - self

    def __rmul__(self, other):
        return self * other

    def __rtruediv__(self, other):
        return self._lift(other) / self

    def __pow__(self, exponent):
        if exponent != 0.5:
            raise NotImplementedError(f"power {exponent}: laws take square roots only")
        return Register(self.machine, self.machine.root(self.value))

    def _lift(self, other):
        return other if isinstance(other, Register) else Register(self.machine, self.machine.constant(float(other)))


class Product(Register):
    """a * b, not yet computed."""

    def __init__(self, a, b):
        self.machine, self.a, self.b, self._value = a.machine, a, b, None

    @property
    def value(self):
        if self._value is None:
            self._value = self.machine.multiply(self.a.value, self.b.value)
        return self._value

    def plus(self, other):
        """a * b + other, rounded once."""
        return Register(self.machine, self.machine.fma(self.a.value, self.b.value, other.value))

    def __add__(self, other):
        return self.plus(self._lift(other))

    def __neg__(self):
        return Product(-self.a, self.b)

    def __sub__(self, other):
        other = self._lift(other)
        return self.plus(Register(self.machine, self.machine.negate(other.value)))
