"""The text of all kernels: the files of CUDA C after the formulas that they call, of the thermostat and of FIRE."""

from __future__ import annotations

from pathlib import Path

from mdgen.kernels import fire
from runkit.formula import Plain, value_of
from runkit.formula.cuda import Lines, function

TEXTS = ("replica", "motion", "cells", "lists", "thermostat", "march", "spread", "fire", "observe")  # in this order


def source(thermostat) -> str:
    """All kernels, with those of the thermostat (None: without)."""
    texts = (Path(__file__).with_name(f"{name}.cu").read_text() for name in TEXTS)
    return "\n".join([_coupling(thermostat) if thermostat else "", _decision(), *texts])


def _coupling(thermostat) -> str:
    """`scale_before`, `scale_after` and what `thermostat.cu` has to know about them."""
    n_numbers = thermostat.draw(0).shape[1]
    head = f"#define COUPLED\n#define N_NUMBERS {n_numbers}\n#define HAS_BEFORE {int(thermostat.before is not None)}\n"
    sizes = (len(thermostat.value), n_numbers, len(thermostat.constants))
    formulas = {"scale_before": thermostat.before or _unchanged, "scale_after": thermostat.after}
    return head + "".join(_scale(name, formula, *sizes) for name, formula in formulas.items())


def _unchanged(kinetic, value, number, constant):
    return 1.0, value


def _scale(name: str, formula, n_values: int, n_numbers: int, n_constants: int) -> str:
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
