"""The text of all kernels: the files of CUDA C, and the formulas that they call, of pair law, thermostat and FIRE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mdgen.kernels import fire
from mdgen.potentials.pair import Pair, PairPotential
from mdgen.thermostats import Formula, Thermostat, Values
from runkit.arrays import Floats
from runkit.formula import Fused, Plain, Value, value_of
from runkit.formula.cuda import Lines, function

TEXTS = (
    "replica", "motion", "cells", "lists", "thermostat", "one_block", "many_blocks", "fire", "observe",
)  # fmt: skip  # in this order
PAIR_BYTES = 16  # which a thread fetches at once
SQUARE = "square"  # what the squared distance is called


def source(potential: PairPotential, precision: str, thermostat: Thermostat | None = None) -> str:
    """All kernels for a `PairPotential`, with those of the thermostat (None: without)."""
    replica, *others = (Path(__file__).with_name(f"{name}.cu").read_text() for name in TEXTS)
    double = "#define DOUBLE\n" if precision == "float64" else ""
    before = [double, _pair(potential), _coupling(thermostat) if thermostat else "", _decision()]
    return "\n".join([*before, replica, _formulas(potential, precision), *others])


def table(potential: PairPotential, precision: str) -> Floats:
    """What the kernels have as `PairOf`: flat, whole multiples of PAIR_BYTES for each pair of species."""
    columns = potential.table(precision)
    padding = -columns.shape[-1] % (PAIR_BYTES // columns.itemsize)
    return np.pad(columns, ((0, 0), (0, 0), (0, padding)))


def _pair(potential: PairPotential) -> str:
    """What belongs to a pair of species."""
    names = ", ".join(["cutoff_square", *map(_member, potential.columns)])
    return f"template <class T> struct alignas({PAIR_BYTES}) PairOf {{ T {names}; }};\n"


def _member(column: str) -> str:
    """What a column is called in C, where a law's own word for it may mean something."""
    return f"{column}_"


def _formulas(potential: PairPotential, precision: str) -> str:
    """The pair law's formulas as functions of a squared distance and of a pair of species."""
    law, names = potential.law, tuple(potential.columns)
    return "".join(
        [
            _formula("force_over_r", law.force, names, DistanceLines(precision)),
            _formula("energy_of", law.energy, names, Lines("float64")),
            _formula("virial_of", law.virial, names, Lines("float64")),
        ]
    )


def _formula(name: str, formula: Callable[[Value, Pair], Value], columns: tuple[str, ...], machine: Lines) -> str:
    pair = Pair(**{column: Fused(machine, f"pair.{_member(column)}") for column in columns})
    value = value_of(machine, formula(Fused(machine, SQUARE), pair))
    real = machine.type
    head = f"__device__ __forceinline__ {real} {name}({real} {SQUARE}, const PairOf<{real}>& pair)"
    return function(head, machine, f"return {value};")


class DistanceLines(Lines):
    """Lines on a squared distance: its reciprocal and that of its root are normal numbers, which `replica.cu` has a
    faster way to."""

    def __init__(self, dtype: str) -> None:
        super().__init__(dtype)
        self._distances = {SQUARE}

    def divide(self, a: str, b: str) -> str:
        is_reciprocal = a == self.constant(1.0) and b in self._distances
        return self.variable(f"reciprocal({b})") if is_reciprocal else super().divide(a, b)

    def sqrt(self, a: str) -> str:
        root = super().sqrt(a)
        if a in self._distances:
            self._distances.add(root)
        return root


def _coupling(thermostat: Thermostat) -> str:
    """`scale_before`, `scale_after` and the constants about them that `thermostat.cu` needs."""
    n_numbers = thermostat.draw(0).shape[1]
    head = f"#define COUPLED\n#define N_NUMBERS {n_numbers}\n#define HAS_BEFORE {int(thermostat.before is not None)}\n"
    sizes = (len(thermostat.value), n_numbers, len(thermostat.constants))
    formulas = {"scale_before": thermostat.before or _unchanged, "scale_after": thermostat.after or _unchanged}
    return head + "".join(_scale(name, formula, *sizes) for name, formula in formulas.items())


def _unchanged(
    kinetic: Value, value: Values, number: Values, constant: Sequence[Value]
) -> tuple[Value, Sequence[Value]]:
    return 1.0, list(value)


def _scale(name: str, formula: Formula, n_values: int, n_numbers: int, n_constants: int) -> str:
    """The factor for one replica; values and numbers lie `stride` apart, new values replace the old.

    Never inlined: one thread calls it, and all would pay for its registers.
    """
    machine = Lines("float64")
    (kinetic,) = _inputs(machine, "kinetic")
    value = _inputs(machine, *(f"value[{k} * stride]" for k in range(n_values)))
    number = _inputs(machine, *(f"number[{k} * stride]" for k in range(n_numbers)))
    constant = _inputs(machine, *(f"constant[{k}]" for k in range(n_constants)))
    factor, changed = formula(kinetic, value, number, constant)
    arguments = "double kinetic, double* value, const double* number, const double* constant, int stride"
    stores = [f"value[{k} * stride] = {value_of(machine, new)};" for k, new in enumerate(changed)]
    head, end = f"__device__ __noinline__ double {name}({arguments})", f"return {value_of(machine, factor)};"
    return function(head, machine, *stores, end)


def _decision() -> str:
    """`decide`: the formula of FIRE (see `fire.decided`) for one replica, whose `state` lies `stride` apart."""
    machine = Lines("float64")
    state = _inputs(machine, *(f"state[{k} * stride]" for k in range(len(fire.START))))
    scales, changed = fire.decided(state, _inputs(machine, *(f"sum[{k}]" for k in range(3))))
    stores = [f"state[{k} * stride] = {value_of(machine, new)};" for k, new in enumerate(changed)]
    stores += [f"scale[{k}] = {value_of(machine, value)};" for k, value in enumerate(scales)]
    head = "__device__ __noinline__ void decide(double* state, const double* sum, double* scale, int stride)"
    return function(head, machine, *stores)


def _inputs(machine: Lines, *expressions: str) -> list[Plain]:
    """Doubles that are read before anything is written."""
    return [Plain(machine, machine.variable(each)) for each in expressions]
