"""A formula as a function that Numba kernels call: its instructions stand in the kernel, packed if its values are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from runkit.formula.algebra import Fused, Plain, value_of
from runkit.formula.llvm import Instructions


def inlined(formula: Callable[..., Any], algebra: type[Plain] = Fused) -> Any:
    """`formula` for Numba kernels, which call it with a tuple of its arguments, all of one type: floats or `Lanes`.

    A kernel that holds it is cached by text (`runkit.simd.compiled`): give `kernel` the folder of the formula's file,
    and what the formula closes over as its variant.
    """

    @intrinsic
    def call(typingctx: Any, arguments: Any) -> Any:
        if not isinstance(arguments, types.UniTuple):
            raise TypingError(f"a tuple of values of one type is needed, not {arguments}")

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            machine = Instructions(builder, context.get_value_type(arguments.dtype))
            given = [builder.extract_value(args[0], k) for k in range(arguments.count)]
            return value_of(machine, formula(*(algebra(machine, each) for each in given)))

        return arguments.dtype(arguments), codegen

    return call
