"""A machine for formulas that adds LLVM instructions to a kernel that is being compiled.

Source: LLVM Language Reference (llvm.fma, llvm.sqrt, llvm.copysign).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils


class Instructions:
    """Instructions on values of type `kind` (a float type, or vectors of one), added at `builder`.

    They are strict, so that all lanes of a vector are alike. `splat` is for vectors of integers, too.
    """

    def __init__(self, builder: ir.IRBuilder, kind: ir.Type) -> None:
        self.builder, self.kind = builder, kind
        self._lanes = kind.count if isinstance(kind, ir.VectorType) else 0
        self.add, self.subtract, self.multiply = builder.fadd, builder.fsub, builder.fmul
        self.divide, self.negative = builder.fdiv, builder.fneg

    def constant(self, number: float) -> ir.Constant:
        return ir.Constant(self.kind, [number] * self._lanes if self._lanes else number)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.call("fma", a, b, c)

    def sqrt(self, a: Any) -> Any:
        return self.call("sqrt", a)

    def copysign(self, a: Any, b: Any) -> Any:
        return self.call("copysign", a, b)

    def greater(self, a: Any, b: Any) -> Any:
        is_greater = self.builder.fcmp_ordered(">", a, b)
        return self.builder.select(is_greater, self.constant(1.0), self.constant(0.0))

    def splat(self, scalar: Any) -> Any:
        """A vector with `scalar` in every lane."""
        undefined, index = ir.Constant(self.kind, ir.Undefined), ir.IntType(32)
        first = self.builder.insert_element(undefined, scalar, index(0))
        everywhere = ir.Constant(ir.VectorType(index, self._lanes), [0] * self._lanes)
        return self.builder.shuffle_vector(first, undefined, everywhere)

    def call(self, name: str, *operands: Any) -> Any:
        """LLVM's intrinsic of this name, lane by lane."""
        element = self.kind.element if self._lanes else self.kind
        suffix = f"{f'v{self._lanes}' if self._lanes else ''}f{64 if isinstance(element, ir.DoubleType) else 32}"
        kind = ir.FunctionType(self.kind, [self.kind] * len(operands))
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.{suffix}")
        return self.builder.call(function, operands)
