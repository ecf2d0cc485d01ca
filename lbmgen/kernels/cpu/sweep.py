"""The step itself: gather, collide and scatter as many sites at a time as a vector register holds, in place.

A collision law is applied to vector registers while the kernel is compiled (`runkit.formula`), once for each lattice,
law and kind of force.
"""

from functools import cache
from pathlib import Path

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from lbmgen.kernels import VECTOR
from runkit.formula import Fused, value_of
from runkit.formula.llvm import Instructions
from runkit.simd.parts import part
from runkit.simd.processor import register_bits

PACKAGE = Path(__file__).parents[2]
PARTS = (PACKAGE, PACKAGE / "collisions", PACKAGE / "boundaries")  # what a compiled kernel is made of


@cache
def make_sweep(lattice, law, forced):
    """The step of a lattice, a law and, if `forced`, a force density, as a part of kernels.

    Called as sweep(h, region, begin, end, places, numbers): flat populations, runs `begin` to `end` of a `Region`,
    offsets [q] of the step's parity, and the law's rates followed by the components of the force.
    """
    # Runs are whole vectors of VECTOR sites. A register of 512 bits holds two of them in float32; one may be left over.
    joined = register_bits() // 256
    update = _make_update(lattice, law, forced, joined * VECTOR)
    update_last = _make_update(lattice, law, forced, VECTOR)

    @part
    def sweep(h, region, begin, end, places, numbers):
        for run in range(begin, end):
            start = region.start[run]
            n_vectors = region.n_vectors[run]
            n_updates = n_vectors // joined
            for k in range(n_updates):
                update(h, start + k * (joined * VECTOR), places, numbers)
            for vector in range(n_updates * joined, n_vectors):
                update_last(h, start + vector * VECTOR, places, numbers)

    return sweep


def _make_update(lattice, law, forced, n_sites):
    @intrinsic
    def update(typingctx, h, site, places, numbers):
        def codegen(context, builder, sig, args):
            data, bits = context.make_array(sig.args[0])(context, builder, args[0]).data, h.dtype.bitwidth
            vector = ir.VectorType(data.type.pointee, min(n_sites, register_bits() // bits))
            machine = Instructions(builder, vector)
            given = [Fused(machine, machine.splat(builder.extract_value(args[3], k))) for k in range(numbers.count)]
            rates, force = (given[: -lattice.d], given[-lattice.d :]) if forced else (given, None)
            for lane in range(0, n_sites, vector.count):
                first = builder.gep(data, [builder.add(args[1], args[1].type(lane))])
                place = [
                    builder.bitcast(builder.gep(first, [builder.extract_value(args[2], i)]), vector.as_pointer())
                    for i in range(lattice.q)
                ]
                # All loads come before the first store: each place is also written, by the opposite direction.
                here = [Fused(machine, builder.load(where, align=bits // 8)) for where in place]
                for i, value in enumerate(law.collide(lattice, here, rates, force)):
                    builder.store(value_of(machine, value), place[lattice.opposite[i]], align=bits // 8)
            return context.get_dummy_value()

        return types.void(h, site, places, numbers), codegen

    return update
