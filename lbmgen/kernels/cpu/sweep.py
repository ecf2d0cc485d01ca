"""The step itself: gather, collide and scatter LANES sites at a time, in place.

A collision law is applied to vector registers while the kernel is compiled (`algebra`), once for each lattice, law and
kind of force.
"""

from functools import cache
from pathlib import Path

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from lbmgen.kernels.cpu.algebra import Register
from runkit.simd.compiled import kernel
from runkit.simd.lanes import LANES

PACKAGE = Path(__file__).parents[2]
PARTS = (PACKAGE, PACKAGE / "collisions", PACKAGE / "boundaries")  # what a compiled kernel is made of


@cache
def make_sweep(lattice, law, forced):
    """The compiled step of a lattice, a law and, if `forced`, a force density.

    Called as sweep(h, region, source, target, numbers): flat populations, `Region`, offsets [q] of reads and writes of
    the step's parity, and the law's rates followed by the components of the force.
    """
    update = _make_update(lattice, law, forced)

    def sweep(h, region, source, target, numbers):
        for run in range(region.start.size):
            start = region.start[run]
            for vector in range(region.n_vectors[run]):
                update(h, start + vector * LANES, source, target, numbers)

    variant = f"{lattice.name} {law} {forced}"
    return kernel(sweep, variant, PARTS)


def _make_update(lattice, law, forced):
    @intrinsic
    def update(typingctx, h, site, source, target, numbers):
        def codegen(context, builder, sig, args):
            data = context.make_array(sig.args[0])(context, builder, args[0]).data
            vector = ir.VectorType(data.type.pointee, LANES)

            def place(offsets, i):
                offset = builder.add(args[1], builder.extract_value(offsets, i))
                return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())

            def load(i):
                value = builder.load(place(args[2], i))
                value.align = sig.args[0].dtype.bitwidth // 8
                return Register(builder, value)

            given = [_splat(builder, vector, builder.extract_value(args[4], k)) for k in range(numbers.count)]
            rates, force = (given[: -lattice.d], given[-lattice.d :]) if forced else (given, None)
            result = law.collide(lattice, [load(i) for i in range(lattice.q)], rates, force)
            for i, register in enumerate(result):
                done = builder.store(register.value, place(args[3], i))
                done.align = sig.args[0].dtype.bitwidth // 8
            return context.get_dummy_value()

        return types.void(h, site, source, target, numbers), codegen

    return update


def _splat(builder, vector, scalar):
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.IntType(32)(0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return Register(builder, builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), everywhere))
