"""Arithmetic on vector registers while a kernel is compiled: what collision laws are applied to.

A product is not computed before it is needed: where it is added to something, it becomes a fused multiply-add, so that
a law written as a formula costs as few instructions as one written for the machine. Every operation is strict, so a
site has the same bits wherever it lies in a vector, a block or a grid.

Source: LLVM Language Reference (llvm.fma, llvm.sqrt).
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils


class Register:
    """A vector register; numbers beside it stand for vectors of equal elements."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    def __add__(self, other):
        other = self._lift(other)
        if isinstance(other, Product):
            return other.plus(self)
        return Register(self.builder, self.builder.fadd(self.value, other.value))

    def __neg__(self):
        return Register(self.builder, self.builder.fneg(self.value))

    def __sub__(self, other):
        other = self._lift(other)
        if isinstance(other, Product):
            return (-other).plus(self)
        return Register(self.builder, self.builder.fsub(self.value, other.value))

    def __mul__(self, other):
        return Product(self, self._lift(other))

    def __truediv__(self, other):
        return Register(self.builder, self.builder.fdiv(self.value, self._lift(other).value))

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
        return Register(self.builder, self._call("sqrt", self.value))

    def _lift(self, other):
        if isinstance(other, Register):
            return other
        vector = self.value.type
        return Register(self.builder, ir.Constant(vector, [float(other)] * vector.count))

    def _call(self, name, *operands):
        vector = operands[0].type
        suffix = f"v{vector.count}f{64 if isinstance(vector.element, ir.DoubleType) else 32}"
        kind = ir.FunctionType(vector, [vector] * len(operands))
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.{suffix}"), operands
        )


class Product(Register):
    """a * b, not yet computed."""

    def __init__(self, a, b):
        self.builder, self.a, self.b, self._value = a.builder, a, b, None

    @property
    def value(self):
        if self._value is None:
            self._value = self.builder.fmul(self.a.value, self.b.value)
        return self._value

    def plus(self, other):
        """a * b + other, rounded once."""
        return Register(self.builder, self._call("fma", self.a.value, self.b.value, other.value))

    def __add__(self, other):
        return self.plus(self._lift(other))

    def __neg__(self):
        return Product(-self.a, self.b)

    def __sub__(self, other):
        other = self._lift(other)
        return self.plus(Register(self.builder, self.builder.fneg(other.value)))
