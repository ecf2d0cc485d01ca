"""Features of the processor that kernels are compiled for: the one that they run on, unless Numba is set to another."""

from numba.core.registry import cpu_target


def register_bits() -> int:
    """Bits of its vector registers: 512 with AVX-512, else 256, which LLVM splits where registers are narrower."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return 512 if "+avx512f" in features.split(",") else 256
