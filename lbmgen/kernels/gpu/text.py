"""The text of the kernels for a lattice, a law and a precision: the files of CUDA C after what they need to know.

A collision law is applied to names of variables: each of its operations becomes a line of CUDA C.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from lbmgen.kernels.algebra import Register

KERNELS = ("cases.cu", "boundaries.cu", "lbm.cu")  # each builds on those before
TYPES = {"float32": ("float", "f"), "float64": ("double", "")}  # in C, and the end of its numbers and functions


class Lines:
    """A machine for `algebra` that writes lines of C; its values are names, and numbers as C writes them."""

    def __init__(self, dtype):
        self.dtype, self.suffix = np.dtype(dtype).type, TYPES[dtype][1]
        self.lines = []

    def constant(self, number):
        return f"({float(self.dtype(number)).hex()}{self.suffix})"

    def negate(self, a):
        return self._line(f"-{a}")

    def add(self, a, b):
        return self._line(f"{a} + {b}")

    def subtract(self, a, b):
        return self._line(f"{a} - {b}")

    def multiply(self, a, b):
        return self._line(f"{a} * {b}")

    def divide(self, a, b):
        return self._line(f"{a} / {b}")

    def fma(self, a, b, c):
        return self._line(f"fma{self.suffix}({a}, {b}, {c})")

    def root(self, a):
        return self._line(f"sqrt{self.suffix}({a})")

    def _line(self, expression):
        self.lines.append(f"    const real t{len(self.lines)} = {expression};")
        return f"t{len(self.lines) - 1}"


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
        [Register(machine, f"{name}[{k}]") for k in places]
        for name, places in (
            ("here", range(lattice.q)),
            ("numbers", range(n_rates)),
            ("numbers", range(n_rates, n_rates + lattice.d)),
        )
    )
    after = law.collide(lattice, here, rates, force if forced else None)
    results = [f"    gone[{i}] = {value.value};" for i, value in enumerate(after)]
    head = "__device__ __forceinline__ void collide(const real* here, const real* numbers, real* gone) {"
    return "\n".join([head, *machine.lines, *results, "}"])
