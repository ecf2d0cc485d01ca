"""Formulas of Python as functions of CUDA C: a formula is applied to symbols, which write down what is done to them.

Every operation becomes a line of its own, in the order of the formula, so both round alike.
"""

from __future__ import annotations

import numpy as np

from mdgen.kernels import fire

# What NumPy's functions are in C; those that every machine rounds alike.
IN_C = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "sqrt": "sqrt({})",
    "copysign": "copysign({}, {})",
    "greater": "{} > {}",
}


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A double of the function whose `lines` are being written; `meaning` is how it is computed."""

    def __init__(self, meaning: str, lines: list[str]):
        self.name, self._lines = f"t{len(lines)}", lines
        lines.append(f"double {self.name} = {meaning};")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or options or ufunc.__name__ not in IN_C:
            return NotImplemented
        return Symbol(IN_C[ufunc.__name__].format(*map(in_c, inputs)), self._lines)


def in_c(value) -> str:
    """A symbol or a number, to the last bit."""
    return value.name if isinstance(value, Symbol) else float(value).hex()


def thermostat_in_c(thermostat) -> str:
    """`scale_before`, `scale_after` and what `thermostat.cu` has to know about them."""
    n_numbers = thermostat.draw(0).shape[1]
    head = f"#define COUPLED\n#define N_NUMBERS {n_numbers}\n#define HAS_BEFORE {int(thermostat.before is not None)}\n"
    sizes = (len(thermostat.value), n_numbers, len(thermostat.constants))
    formulas = {"scale_before": thermostat.before or _unchanged, "scale_after": thermostat.after}
    return head + "".join(_function(name, formula, *sizes) for name, formula in formulas.items())


def decision_in_c() -> str:
    """`decide`: the formula of FIRE (see `fire.decided`) for one replica, whose `state` lies `stride` apart."""
    lines: list[str] = []
    state = [Symbol(f"state[{k} * stride]", lines) for k in range(len(fire.START))]
    scales, changed = fire.decided(state, [Symbol(f"sum[{k}]", lines) for k in range(3)])
    lines += [f"state[{k} * stride] = {in_c(new)};" for k, new in enumerate(changed)]
    lines += [f"scale[{k}] = {in_c(value)};" for k, value in enumerate(scales)]
    body, arguments = "\n    ".join(lines), "double* state, const double* sum, double* scale, int stride"
    return f"__device__ __noinline__ void decide({arguments}) {{\n    {body}\n}}\n"


def _unchanged(kinetic, value, number, constant):
    return 1.0, value


def _function(name: str, formula, n_values: int, n_numbers: int, n_constants: int) -> str:
    """The factor for one replica; values and numbers lie `stride` apart, new values replace the old.

    Never inlined: one thread calls it, and all would pay for its registers.
    """
    lines: list[str] = []
    kinetic = Symbol("kinetic", lines)
    value = [Symbol(f"value[{k} * stride]", lines) for k in range(n_values)]
    number = [Symbol(f"number[{k} * stride]", lines) for k in range(n_numbers)]
    constant = [Symbol(f"constant[{k}]", lines) for k in range(n_constants)]
    factor, changed = formula(kinetic, value, number, constant)
    lines += [f"value[{k} * stride] = {in_c(new)};" for k, new in enumerate(changed)]
    arguments = "double kinetic, double* value, const double* number, const double* constant, int stride"
    body = "\n    ".join([*lines, f"return {in_c(factor)};"])
    return f"__device__ __noinline__ double {name}({arguments}) {{\n    {body}\n}}\n"
