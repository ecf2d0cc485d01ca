"""A SIMD vector type for Numba: one value per lane, packed by construction instead of by the auto-vectoriser's luck.

A loop over `Lanes` compiles to packed instructions whatever its shape. Arithmetic is strict IEEE and `fma` is a true
fused multiply-add, so the bits of a lane depend neither on its neighbours, nor on the number of lanes, nor on the
machine. Arrays are flat and C-contiguous; offsets count elements and must not be negative.

Source: LLVM Language Reference (vector types, llvm.fma); Numba's extension API.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model
from numba.np.unsafe.ndarray import to_fixed_tuple

from runkit.formula.llvm import Instructions
from runkit.simd.parts import helper
from runkit.simd.processor import register_bits

LANES = register_bits() // 32  # float32 values of a register: 16 with AVX-512, else 8

_I32 = ir.IntType(32)
_ELEMENT = {types.int32: _I32, types.float32: ir.FloatType(), types.float64: ir.DoubleType()}
_ROUND_TO_FIXED = 1.5 * 2.0**52  # adding it leaves round(x) mod 2**32 in the low bits of a double


class Lanes(types.Type):
    """LANES values of one scalar type."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(f"Lanes({dtype}x{LANES})")

    @property
    def vector(self):
        return ir.VectorType(_ELEMENT[self.dtype], LANES)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, fe_type.vector)


def _data(context, builder, sig, args, which=0):
    return context.make_array(sig.args[which])(context, builder, args[which]).data


def _load(builder, data, offset, lanes):
    """LANES consecutive elements, aligned as single ones are."""
    value = builder.load(builder.bitcast(builder.gep(data, [offset]), lanes.vector.as_pointer()))
    value.align = lanes.dtype.bitwidth // 8
    return value


@intrinsic
def element(typingctx, array, offset):
    """One element, without the test for a negative index that Numba's own subscript makes."""

    def codegen(context, builder, sig, args):
        return builder.load(builder.gep(_data(context, builder, sig, args), [args[1]]))

    return array.dtype(array, types.intp), codegen


def first_elements(count):
    """A function of a one-dimensional array: its first `count` elements as a tuple, which is what formulas take."""

    @helper
    def elements(array):
        return to_fixed_tuple(array[:count], count)

    return elements


@intrinsic
def load(typingctx, array, offset):
    """LANES consecutive elements."""
    lanes = Lanes(array.dtype)

    def codegen(context, builder, sig, args):
        return _load(builder, _data(context, builder, sig, args), args[1], lanes)

    return lanes(array, types.intp), codegen


def loader(count):
    """A function of an array and an offset: `count` vectors of LANES elements, one after the other, as a tuple."""

    @intrinsic
    def loads(typingctx, array, offset):
        lanes = Lanes(array.dtype)

        def codegen(context, builder, sig, args):
            data = _data(context, builder, sig, args)
            offsets = (builder.add(args[1], args[1].type(k * LANES)) for k in range(count))
            values = [_load(builder, data, offset, lanes) for offset in offsets]
            return context.make_tuple(builder, sig.return_type, values)

        return types.UniTuple(lanes, count)(array, types.intp), codegen

    return loads


@intrinsic
def store(typingctx, array, offset, value):
    """Write LANES consecutive elements."""

    def codegen(context, builder, sig, args):
        start = builder.gep(_data(context, builder, sig, args), [args[1]])
        done = builder.store(args[2], builder.bitcast(start, value.vector.as_pointer()))
        done.align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def load_splat(typingctx, array, offset):
    """One element in every lane."""
    lanes = Lanes(array.dtype)

    def codegen(context, builder, sig, args):
        value = builder.load(builder.gep(_data(context, builder, sig, args), [args[1]]))
        return Instructions(builder, lanes.vector).splat(value)

    return lanes(array, types.intp), codegen


def _indexed(context, builder, sig, args, lane):
    """Address of `array[index[at + lane] + shift]`."""
    index, at, shift = _data(context, builder, sig, args, 1), args[2], args[3]
    which = builder.load(builder.gep(index, [builder.add(at, at.type(lane))]))
    return builder.gep(_data(context, builder, sig, args), [builder.add(builder.sext(which, shift.type), shift)])


@intrinsic
def gather(typingctx, array, index, at, shift):
    """`array[index[at + lane] + shift]` in each lane; `index` is int32."""
    lanes = Lanes(array.dtype)

    def codegen(context, builder, sig, args):
        value = ir.Constant(lanes.vector, ir.Undefined)
        for lane in range(LANES):
            element = builder.load(_indexed(context, builder, sig, args, lane))
            value = builder.insert_element(value, element, _I32(lane))
        return value

    return lanes(array, index, types.intp, types.intp), codegen


@intrinsic
def scatter(typingctx, array, index, at, shift, value):
    """`array[index[at + lane] + shift] = value` for one lane after the other; `index` is int32."""

    def codegen(context, builder, sig, args):
        for lane in range(LANES):
            builder.store(builder.extract_element(args[4], _I32(lane)), _indexed(context, builder, sig, args, lane))
        return context.get_dummy_value()

    return types.void(array, index, types.intp, types.intp, value), codegen


@intrinsic
def splat(typingctx, value):
    """A scalar in every lane."""
    lanes = Lanes(value)
    return lanes(value), lambda context, builder, sig, args: Instructions(builder, lanes.vector).splat(args[0])


@intrinsic
def zeros(typingctx, array):
    """Zero in every lane, of the type of `array`."""
    lanes = Lanes(array.dtype)
    return lanes(array), lambda context, builder, sig, args: ir.Constant(lanes.vector, None)


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once."""
    return a(a, a, a), lambda context, builder, sig, args: Instructions(builder, a.vector).fma(*args)


@intrinsic
def negative(typingctx, value):
    """-value, which costs nothing as a factor of `fma`."""
    return value(value), lambda context, builder, sig, args: builder.fneg(args[0])


@intrinsic
def as_float64(typingctx, value):
    """The same values as float64."""
    result = Lanes(types.float64)

    def codegen(context, builder, sig, args):
        return args[0] if value == result else builder.fpext(args[0], result.vector)

    return result(value), codegen


@intrinsic
def to_fixed_point(typingctx, position, unit, array):
    """position * unit as a place of the type of `array`: modulo 2**32 as an integer, or modulo 1."""
    result = Lanes(array.dtype)

    def codegen(context, builder, sig, args):
        machine = Instructions(builder, position.vector)
        if array.dtype == types.int32:
            shifted = machine.fma(*args[:2], machine.constant(_ROUND_TO_FIXED))
            return builder.trunc(builder.bitcast(shifted, ir.VectorType(ir.IntType(64), LANES)), result.vector)
        fraction = builder.fmul(*args[:2])
        return builder.fsub(fraction, machine.call("floor", fraction))

    return result(position, position, array), codegen


@intrinsic
def minimum_image(typingctx, difference):
    """The minimum image of a difference of places, as floats; integers overflow to it."""
    result = Lanes(types.float32 if difference.dtype == types.int32 else difference.dtype)

    def codegen(context, builder, sig, args):
        if difference.dtype == types.int32:
            return builder.sitofp(args[0], result.vector)
        return builder.fsub(args[0], Instructions(builder, result.vector).call("rint", args[0]))

    return result(difference), codegen


def _define(function, float_name, int_name):
    """The lane-by-lane binary operator of two `Lanes` of one type."""

    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and isinstance(args[0], Lanes) and args[0] == args[1]:
                return signature(args[0], *args)
            return None

    @lower_builtin(function, Lanes, Lanes)
    def _lower(context, builder, sig, args):
        name = float_name if isinstance(sig.args[0].dtype, types.Float) else int_name
        return getattr(builder, name)(*args)


_define(operator.add, "fadd", "add")
_define(operator.sub, "fsub", "sub")
_define(operator.mul, "fmul", "mul")
_define(operator.truediv, "fdiv", "sdiv")
