"""The text of the kernels for a lattice, a law and a precision: constants and formulas, then the files of CUDA C."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lbmgen.boundaries.face import Open, most_parameters, open_faces
from lbmgen.collisions import Collision
from lbmgen.kernels.open_faces import Places, needs_of, on_row
from lbmgen.lattices import Lattice
from runkit.formula import Fused, Plain, value_of
from runkit.formula.cuda import TYPES, Lines, function

KERNELS = ("cases.cu", "boundaries.cu", "lbm.cu")  # each builds on those before
LOADED = ("velocity", "inside", "arrived")  # of `Needs`, where kernels load: the rest costs nothing


@cache
def source(lattice: Lattice, law: Collision, forced: bool, dtype: str) -> str:
    """CUDA C of all kernels for a lattice, a law, if `forced` a force density, and populations of `dtype`."""
    kernels = "\n".join(Path(__file__).with_name(name).read_text() for name in KERNELS)
    parts = _constants(lattice, forced, dtype), _collide(lattice, law, forced, dtype), _open_faces(lattice.d), kernels
    return "\n".join(parts)


def _constants(lattice: Lattice, forced: bool, dtype: str) -> str:
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


def _collide(lattice: Lattice, law: Collision, forced: bool, dtype: str) -> str:
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
    results = [f"gone[{i}] = {value_of(machine, value)};" for i, value in enumerate(after)]
    head = "__device__ __forceinline__ void collide(const real* here, const real* numbers, real* gone)"
    return function(head, machine, *results)


def _open_faces(d: int) -> str:
    """What formulas of open faces take and where, what each kind needs, and the formulas, by the number of the kind."""
    faces = open_faces()
    needs = [needs_of(face, d) for face in faces]
    return "\n".join(
        [
            f"#define N_PARAMETERS {most_parameters()}",
            *(f"#define AT_{name.upper()} {place}" for name, place in Places.of(d)._asdict().items()),
            *(_by_kind(f"bool needs_{name}(int law)", [int(getattr(each, name)) for each in needs]) for name in LOADED),
            *(_formula(name, faces, d) for name in ("guess", "arriving")),
        ]
    )


def _formula(name: str, faces: Sequence[type[Open]], d: int) -> str:
    """The formulas of a name: a function of each kind, and one that chooses. Rows stay in memory, not in registers."""
    texts = []
    for number, face in enumerate(faces):
        machine = Lines("float64")
        row = [Plain(machine, f"row[{place}]") for place in range(Places.of(d).size)]
        result = value_of(machine, on_row(name, face, d, row))
        head = f"__device__ __noinline__ double {name}_{number}(const double* row)"
        texts.append(function(head, machine, f"return {result};"))
    calls = [f"{name}_{number}(row)" for number in range(len(faces))]
    return "".join([*texts, _by_kind(f"double {name}(int law, const double* row)", calls)])


def _by_kind(head: str, values: Sequence[object]) -> str:
    """A function of the number of a kind that returns one of `values`."""
    cases = " ".join(f"case {number}: return {value};" for number, value in enumerate(values))
    return f"__device__ __forceinline__ {head} {{\n    switch (law) {{ {cases} }}\n    return 0;\n}}\n"
