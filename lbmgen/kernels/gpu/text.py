"""The text of the kernels for a lattice, a law and a precision: the files of CUDA C after what they need to know."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lbmgen.boundaries.face import most_parameters, open_faces
from lbmgen.kernels.open_faces import Places, needs_of, on_row
from runkit.formula import Fused, Plain, value_of
from runkit.formula.cuda import TYPES, Lines, function

KERNELS = ("cases.cu", "boundaries.cu", "lbm.cu")  # each builds on those before


@cache
def source(lattice, law, forced, dtype):
    """CUDA C of all kernels for a lattice, a law, if `forced` a force density, and populations of `dtype`."""
    kernels = "\n".join(Path(__file__).with_name(name).read_text() for name in KERNELS)
    parts = _constants(lattice, forced, dtype), _collide(lattice, law, forced, dtype), _open_faces(lattice.d), kernels
    return "\n".join(parts)


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


def _open_faces(d):
    """All kinds of open faces by their numbers: their formulas, and where in a row of numbers what they take lies."""
    faces = open_faces()
    numbers = range(len(faces))
    return "\n".join(
        [
            f"#define N_PARAMETERS {most_parameters()}",
            f"#define EACH_FACE(use) {' '.join(f'use({number})' for number in numbers)}",
            "template <int number> struct Face;",
            *(_open_face(number, face, d) for number, face in zip(numbers, faces, strict=True)),
        ]
    )


def _open_face(number, face, d):
    """A kind as a type."""
    needs = {f"needs_{name}": int(is_so) for name, is_so in needs_of(face, d)._asdict().items()}
    places = ", ".join(f"{name} = {value}" for name, value in (Places.of(face, d)._asdict() | needs).items())
    formulas = [_formula(name, getattr(face, name), face, d) for name in ("guess", "arriving")]
    return "\n".join([f"template <> struct Face<{number}> {{", f"enum {{ {places} }};", *formulas, "};"])


def _formula(name, formula, face, d):
    machine = Lines("float64")
    row = [Plain(machine, f"row[{k}]") for k in range(Places.of(face, d).size)]
    result = value_of(machine, on_row(formula, face, d)(*row) if formula else 0.0)
    head = f"static __device__ __forceinline__ double {name}_of(const double* row)"
    return function(head, machine, f"return {result};")
