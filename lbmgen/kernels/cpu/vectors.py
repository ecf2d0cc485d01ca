"""Vector registers as a machine for `algebra`: it adds LLVM instructions to a kernel that is being compiled.

Source: LLVM Language Reference (llvm.fma, llvm.sqrt).
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from lbmgen.kernels.algebra import Register


class Vectors:
    """Instructions on vectors of type `kind`, added at `builder`; strict, so that all lanes are alike."""

    def __init__(self, builder, kind):
        self.builder, self.kind = builder, kind
        self.negate, self.add, self.subtract = builder.fneg, builder.fadd, builder.fsub
        self.multiply, self.divide = builder.fmul, builder.fdiv

    def constant(self, number):
        return ir.Constant(self.kind, [number] * self.kind.count)

    def fma(self, a, b, c):
        return self._call("fma", a, b, c)

    def root(self, a):
        return self._call("sqrt", a)

    def splat(self, scalar):
        """A register with `scalar` in every lane."""
        undefined = ir.Constant(self.kind, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.IntType(32)(0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), self.kind.count), [0] * self.kind.count)
        return Register(self, self.builder.shuffle_vector(first, undefined, everywhere))

    def _call(self, name, *operands):
        suffix = f"v{self.kind.count}f{64 if isinstance(self.kind.element, ir.DoubleType) else 32}"
        function = ir.FunctionType(self.kind, [self.kind] * len(operands))
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, function, f"llvm.{name}.{suffix}"), operands
        )
