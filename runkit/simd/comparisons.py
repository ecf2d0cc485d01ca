"""Comparisons of vectors, lane by lane: what is larger or smaller, what is kept, and which lanes are meant.

Source: LLVM Language Reference (fcmp, icmp, select, llvm.cttz).
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from runkit.simd.lanes import LANES


def _compare(builder, sign, kind, a, b):
    if isinstance(kind.dtype, types.Float):
        return builder.fcmp_ordered(sign, a, b)
    return builder.icmp_signed(sign, a, b)


@intrinsic
def maximum(typingctx, a, b):
    """a where a > b, else b."""

    def codegen(context, builder, sig, args):
        return builder.select(_compare(builder, ">", a, *args), *args)

    return a(a, a), codegen


@intrinsic
def minimum(typingctx, a, b):
    """a where a < b, else b."""

    def codegen(context, builder, sig, args):
        return builder.select(_compare(builder, "<", a, *args), *args)

    return a(a, a), codegen


def _where(sign):
    @intrinsic
    def keep(typingctx, value, a, b):
        def codegen(context, builder, sig, args):
            chosen = _compare(builder, sign, a, args[1], args[2])
            return builder.select(chosen, args[0], ir.Constant(value.vector, None))

        return value(value, a, b), codegen

    keep.__doc__ = f"`value` where a {sign} b, else zero."
    return keep


where_below = _where("<")
where_unequal = _where("!=")


@intrinsic
def mask_below(typingctx, a, b):
    """A number whose bit k says whether a < b in lane k."""

    def codegen(context, builder, sig, args):
        bits = builder.bitcast(_compare(builder, "<", a, *args), ir.IntType(LANES))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(a, b), codegen


@intrinsic
def lowest_bit(typingctx, bits):
    """Index of the lowest bit set of an integer that is not zero."""

    def codegen(context, builder, sig, args):
        return builder.cttz(args[0], ir.IntType(1)(1))

    return bits(bits), codegen
