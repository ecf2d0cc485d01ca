"""The text of the kernels for a lattice, a law and a precision: the files of CUDA C after what they need to know."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from runkit.formula import Fused
from runkit.formula.cuda import TYPES, Lines, function

KERNELS = ("cases.cu", "boundaries.cu", "lbm.cu")  # each builds on those before


@cache
def source(lattice, law, forced, dtype):
    """CUDA C of all kernels for a lattice, a law, if `forced` a force density, and populations of `dtype`."""
    kernels = "\n".join(Path(__file__).with_name(name).read_text() for name in KERNELS)
    return f"{_constants(lattice, forced, dtype)}\n{_collide(lattice, law, forced, dtype)}\n{kernels}"


def _constants(lattice, forced, dtype):
    velocities = ", ".join("{" + ", ".join(map(str, c)) + "}" for c in lattice.c)
    weights = ", ".join(w.hex() for w in lattice.w)
    places = range(lattice.q)
    return "\n".join(
        [
            f"typedef {TYPES[dtype][0]} real;",
            f"#define Q {lattice.q}",
            f"#define D {lattice.d}",
            f"#define FORCED {int(forced)}",
            f"#define VELOCITIES {{{velocities}}}",
            f"#define WEIGHTS {{{weights}}}",
            f"#define PLACE_PARAMETERS(name) {', '.join(f'long long name##{i}' for i in places)}",
            f"#define PLACES(name) {{{', '.join(f'name##{i}' for i in places)}}}",
            f"#define OPPOSITE {{{', '.join(map(str, lattice.opposite))}}}",
        ]
    )


def _collide(lattice, law, forced, dtype):
    """The law as a function: populations before and after, and its rates, followed by the force."""
    machine = Lines(dtype)
    n_rates = len(law.rates(1.0))
    here, rates, force = (
        [Fused(machine, f"{name}[{k}]") for k in places]
        for name, places in (
            ("here", range(lattice.q)),
            ("numbers", range(n_rates)),
            ("numbers", range(n_rates, n_rates + lattice.d)),
        )
    )
    after = law.collide(lattice, here, rates, force if forced else None)
    results = [f"gone[{i}] = {value.value};" for i, value in enumerate(after)]
    head = "__device__ __forceinline__ void collide(const real* here, const real* numbers, real* gone)"
    return function(head, machine, *results)
