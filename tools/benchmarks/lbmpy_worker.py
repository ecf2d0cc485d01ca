"""Runs in lbmpy's own environment: measures its generated AA kernel, once for each line of input.

Started as `python lbmpy_worker.py THREADS`; each line of standard input is "LATTICE DTYPE SHAPE SECONDS", SHAPE as
256x256, and is answered by a line with million site updates per second of wall time.

Source: M. Bauer, H. Köstler, U. Rüde, J. Comput. Sci. 49, 101269 (2021), doi:10.1016/j.jocs.2020.101269.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pystencils as ps
from lbmpy import LBMConfig, LBMOptimisation, LBStencil, Method, Stencil, create_lb_function
from lbmpy.advanced_streaming import Timestep
from pystencils.alignedarray import aligned_zeros


def widest():
    """The instructions that this processor has."""
    has_avx512 = " avx512f " in Path("/proc/cpuinfo").read_text()
    return ps.Target.X86_AVX512 if has_avx512 else ps.Target.X86_AVX


def kernels(lattice, dtype, shape, n_threads):
    """The even and the odd step of a single relaxation time, OpenMP, and the populations they work on."""
    stencil = LBStencil(getattr(Stencil, lattice))
    kind = np.dtype(dtype)
    populations = aligned_zeros((stencil.Q, *(n + 2 for n in shape)), 64, kind, kind.itemsize, "C")
    view = np.moveaxis(populations, 0, -1)
    field = ps.Field.create_from_numpy_array("src", view, index_dimensions=1)
    steps = []
    for timestep in (Timestep.EVEN, Timestep.ODD):
        law = LBMConfig(
            stencil=stencil,
            method=Method.SRT,
            relaxation_rate=1.25,
            compressible=True,
            zero_centered=True,
            streaming_pattern="aa",
            timestep=timestep,
            field_name="src",
        )
        options = LBMOptimisation(symbolic_field=field, cse_global=False, field_layout="fzyx")
        config = ps.CreateKernelConfig(target=widest(), default_dtype=dtype, ghost_layers=1)
        config.cpu.vectorize.enable = True
        config.cpu.vectorize.assume_inner_stride_one = True
        config.cpu.openmp.enable = n_threads > 1
        config.cpu.openmp.num_threads = n_threads
        function = create_lb_function(lbm_config=law, lbm_optimisation=options, config=config)
        steps.append(function.compile() if hasattr(function, "compile") else function)
    return steps, view


def rate(made, shape, seconds):
    """Million site updates per second of what `kernels` has made."""
    (even, odd), populations = made
    n_steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        even(src=populations)
        odd(src=populations)
        n_steps += 2
    return n_steps * np.prod(shape) / (time.perf_counter() - began) / 1e6


def main():
    n_threads, key, made = int(sys.argv[1]), None, None
    for line in sys.stdin:
        lattice, dtype, extents, seconds = line.split()
        shape = tuple(map(int, extents.split("x")))
        if made is None or key != (lattice, dtype, shape):
            key, made = (lattice, dtype, shape), kernels(lattice, dtype, shape, n_threads)
            rate(made, shape, 0.1)
        print(rate(made, shape, float(seconds)), flush=True)


if __name__ == "__main__":
    main()
