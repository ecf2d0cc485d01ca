"""Products of small matrices on explicit vectors, for kernels that keep what they multiply in the cache.

A tile of the result stays in registers while the sum over the inner index goes on: six rows of as many vectors as leave
no register idle. Matrices lie in flat arrays; places and strides count elements.

Source: K. Goto and R. van de Geijn, ACM Trans. Math. Softw. 34, 12 (2008), doi:10.1145/1356052.1356053.
"""

from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from runkit.formula.llvm import Instructions
from runkit.simd.lanes import LANES, Lanes
from runkit.simd.parts import part

ROWS = 6  # of a tile
WIDE = 4 if LANES == 16 else 2  # vectors of a row of a tile: 24 of 32 registers, or 12 of 16, hold the result


@dataclass
class _Matrix:
    """A matrix while code is made that uses it: element (i, j) is at `data[start + i * row + j * column]`."""

    machine: Instructions
    data: Any
    start: Any
    row: Any
    column: Any

    def place(self, i, j):
        """Address of an element; i and j are values of the code."""
        build = self.machine.builder
        offset = build.add(self.start, build.add(build.mul(i, self.row), build.mul(j, self.column)))
        return build.gep(self.data, [offset])

    def everywhere(self, i, j):
        """An element in every lane."""
        return self.machine.splat(self.machine.builder.load(self.place(i, j)))

    def load(self, i, j):
        """A vector of elements of a row, aligned as single ones are."""
        build, kind = self.machine.builder, self.machine.kind
        value = build.load(build.bitcast(self.place(i, j), kind.as_pointer()))
        value.align = 8 if isinstance(kind.element, ir.DoubleType) else 4
        return value

    def store(self, i, j, value):
        """Write a vector."""
        build, kind = self.machine.builder, self.machine.kind
        done = build.store(value, build.bitcast(self.place(i, j), kind.as_pointer()))
        done.align = 8 if isinstance(kind.element, ir.DoubleType) else 4


def _multiply(out, left, right, count, shape):
    """The code that adds left [rows, count] times right [count, vectors] to out [rows, vectors]."""
    machine, word = out.machine, count.type
    build = machine.builder
    rows, columns = [word(i) for i in range(shape[0])], [word(j * LANES) for j in range(shape[1])]
    totals = [[cgutils.alloca_once_value(build, out.load(i, j)) for j in columns] for i in rows]
    with cgutils.for_range(build, count) as loop:
        factors = [right.load(loop.index, j) for j in columns]
        for i, of_row in zip(rows, totals, strict=True):
            everywhere = left.everywhere(i, loop.index)
            for total, factor in zip(of_row, factors, strict=True):
                build.store(machine.fma(everywhere, factor, build.load(total)), total)
    for i, of_row in zip(rows, totals, strict=True):
        for j, total in zip(columns, of_row, strict=True):
            out.store(i, j, build.load(total))


def _tile(rows, vectors):
    """A function that adds a product to a tile of `rows` times `vectors` vectors; arguments as of `add_product`."""

    @intrinsic
    def tile(typingctx, out, to, out_row, a, of_a, a_row, a_column, b, of_b, b_row, count):
        kind, index = Lanes(out.dtype).vector, types.intp

        def codegen(context, builder, sig, args):
            machine, one = Instructions(builder, kind), args[1].type(1)
            data = [context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 3, 7)]
            left = _Matrix(machine, data[1], *args[4:7])
            right = _Matrix(machine, data[2], *args[8:10], one)
            _multiply(_Matrix(machine, data[0], *args[1:3], one), left, right, args[10], (rows, vectors))
            return context.get_dummy_value()

        return types.void(out, index, index, a, index, index, index, b, index, index, index), codegen

    return tile


_wide, _wide_row, _narrow, _narrow_row = _tile(ROWS, WIDE), _tile(1, WIDE), _tile(ROWS, 1), _tile(1, 1)


@part
def add_product(out, to, out_row, a, of_a, a_row, a_column, b, of_b, b_row, n_rows, n_columns, count):
    """Add a product a b to out [n_rows, n_columns]; n_columns is a multiple of LANES, the inner index is below count.

    out[to + i * out_row + j] += a[of_a + i * a_row + k * a_column] * b[of_b + k * b_row + j], summed over k in order.
    """
    for j in range(0, n_columns - WIDE * LANES + 1, WIDE * LANES):
        _add_columns(out, to + j, out_row, a, of_a, a_row, a_column, b, of_b + j, b_row, n_rows, count, True)
    for j in range(n_columns // (WIDE * LANES) * WIDE * LANES, n_columns, LANES):
        _add_columns(out, to + j, out_row, a, of_a, a_row, a_column, b, of_b + j, b_row, n_rows, count, False)


@part
def _add_columns(out, to, out_row, a, of_a, a_row, a_column, b, of_b, b_row, n_rows, count, is_wide):
    i = 0
    while i < n_rows:
        place, of_row, many = to + i * out_row, of_a + i * a_row, i + ROWS <= n_rows
        if many and is_wide:
            _wide(out, place, out_row, a, of_row, a_row, a_column, b, of_b, b_row, count)
        elif many:
            _narrow(out, place, out_row, a, of_row, a_row, a_column, b, of_b, b_row, count)
        elif is_wide:
            _wide_row(out, place, out_row, a, of_row, a_row, a_column, b, of_b, b_row, count)
        else:
            _narrow_row(out, place, out_row, a, of_row, a_row, a_column, b, of_b, b_row, count)
        i += ROWS if many else 1
