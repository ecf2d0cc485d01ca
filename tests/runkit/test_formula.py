"""Formulas: one text, computed by NumPy, as instructions of the CPU and as CUDA C, with the same bits."""

from __future__ import annotations

import math
import operator
import re
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from numba import njit

from runkit.errors import UserError
from runkit.formula import FormulaError, Fused, Plain, exp, power, rounded, value_of
from runkit.formula.algebra import OPERATIONS
from runkit.formula.compiled import inlined
from runkit.formula.cuda import Lines, function
from runkit.formula.derivative import RULES, with_slope
from runkit.formula.refusal import refused, require_value, require_values, symbols
from runkit.simd.lanes import LANES, load, store
from tests.shim import StandIn

DTYPES = ("float32", "float64")
N = 32 * LANES


def everything(x, y):
    """All that a formula may do, with numbers on either side."""
    root = np.sqrt(x * x + 2.0 * y * y) - 1.0 / (x + 3.0)
    signed = np.copysign(y / 3.0, x) - (-x * y) * 0.1
    return (root - signed * x) + np.greater(x, 0.25) * (x * y - root * 7.0) - power(y, 5) + rounded(x * y)


@cache
def on_cpu(algebra, dtype):
    """Everything by a Numba kernel, lanes at a time and one by one."""
    call = inlined(everything, algebra)

    @njit(error_model="numpy")
    def packed(x, y, result):
        for at in range(0, x.size, LANES):
            store(result, at, call((load(x, at), load(y, at))))

    @njit(error_model="numpy")
    def single(x, y, result):
        for k in range(x.size):
            result[k] = call((x[k], y[k]))

    results = np.zeros((2, N), dtype)
    packed(*inputs(dtype), results[0])
    single(*inputs(dtype), results[1])
    assert results[0].tobytes() == results[1].tobytes()
    return results[0]


def on_gpu(algebra, dtype):
    """Everything by CUDA C, behind a stand-in for a GPU."""
    machine = Lines(dtype)
    given = [algebra(machine, machine.variable(f"{name}[threadIdx.x]")) for name in "xy"]
    value = value_of(machine, everything(*given))
    head = f'extern "C" __global__ void f(const {machine.type}* x, const {machine.type}* y, {machine.type}* result)'
    text = function(head, machine, f"result[threadIdx.x] = {value};")
    result = np.zeros(N, dtype)
    StandIn().compile(text).get_function("f")((1,), (N,), (*inputs(dtype), result))
    return result


def inputs(dtype):
    random = np.random.default_rng(3)
    return [random.normal(size=N).astype(dtype) for _ in range(2)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algebra", [Plain, Fused])
def test_a_formula_has_the_same_bits_on_either_machine(algebra, dtype):
    cpu, gpu = on_cpu(algebra, dtype), on_gpu(algebra, dtype)
    assert cpu.tobytes() == gpu.tobytes() and np.isfinite(cpu).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_plain_formula_has_the_bits_of_numpy(dtype):
    assert on_cpu(Plain, dtype).tobytes() == everything(*inputs(dtype)).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_fused_formula_is_numpys_to_rounding_and_not_to_the_bit(dtype):
    fused, reference = on_cpu(Fused, dtype), everything(*inputs(dtype))
    assert np.abs(fused - reference).max() < 100 * np.finfo(dtype).eps * np.abs(reference).max()
    assert fused.tobytes() != reference.tobytes()


def lines_of(formula, algebra=Fused):
    machine = Lines("float64")
    value = value_of(machine, formula(*(algebra(machine, name) for name in "xyz")))
    return [*(line.split(" = ")[1] for line in machine.lines), value]


@pytest.mark.parametrize(
    ("formula", "lines"),
    [
        (lambda x, y, z: x * y + z, ["fma(x, y, z);", "t0"]),
        (lambda x, y, z: z + x * y, ["fma(x, y, z);", "t0"]),
        (lambda x, y, z: x * y - z, ["-z;", "fma(x, y, t0);", "t1"]),
        (lambda x, y, z: z - x * y, ["-x;", "fma(t0, y, z);", "t1"]),
        (lambda x, y, z: -(x * y) + z, ["-x;", "fma(t0, y, z);", "t1"]),
        (lambda x, y, z: x * y + z * x, ["z * x;", "fma(x, y, t0);", "t1"]),
        (lambda x, y, z: rounded(x * y) + z, ["x * y;", "t0 + z;", "t1"]),
        (lambda x, y, z: x + y, ["x + y;", "t0"]),
        (lambda x, y, z: power(x, 6), ["x * x;", "t0 * t0;", "t0 * t1;", "t2"]),
        (lambda x, y, z: 2, ["(0x1.0000000000000p+1)"]),
    ],
)
def test_a_product_that_is_added_to_something_becomes_one_instruction(formula, lines):
    assert lines_of(formula) == lines


def test_plain_values_are_never_fused():
    assert lines_of(lambda x, y, z: x * y + z, Plain) == ["x * y;", "t0 + z;", "t1"]


def test_what_machines_round_differently_is_refused():
    with pytest.raises(FormulaError, match=r"uses np\.exp; use exp of runkit\.formula, from -20 to 20"):
        lines_of(lambda x, y, z: np.exp(x))
    with pytest.raises(FormulaError, match=r"uses np\.power; use power of runkit\.formula for whole exponents"):
        lines_of(lambda x, y, z: x**2)


def test_a_constant_that_c_cannot_write_is_refused():
    with pytest.raises(ValueError, match=r"1e\+39 is no number of type float"):
        Lines("float32").constant(1e39)


@pytest.mark.parametrize(("dtype", "error"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_the_exponential_is_a_series_that_every_machine_computes_alike(dtype, error):
    x = np.linspace(-20, 20, 4001, dtype=dtype)
    assert np.abs(exp(x) / np.exp(x.astype(np.float64)) - 1).max() < error
    assert exp(x).dtype == dtype and exp(0.0) == 1.0


@pytest.mark.parametrize("exponent", range(1, 40))
def test_powers_are_products_of_equal_factors(exponent):
    assert power(3, exponent) == 3**exponent
    for wrong in (0, -exponent, exponent + 0.5):
        with pytest.raises(FormulaError, match=f"exponent = {wrong}; allowed: whole numbers from 1"):
            power(3, wrong)


def test_the_derivative_of_a_formula_is_exact():
    """Every operation that formulas of pair laws use: d/dx of (x³ - 2 / x) / sqrt(x) - a x."""

    def formula(x, a):
        return (power(x, 3) - 2.0 / x) / np.sqrt(x) - a * x

    x = np.linspace(0.5, 2, 7)
    value, slope = with_slope(formula, x, 3.0)
    np.testing.assert_allclose(value, formula(x, 3.0), rtol=1e-14)
    np.testing.assert_allclose(slope, 2.5 * x**1.5 + 3 * x**-2.5 - 3.0, rtol=1e-13)


def test_what_does_not_vary_has_no_derivative():
    assert with_slope(lambda x: 2.0, 1.5) == (2.0, 0.0)
    assert with_slope(lambda x, a: -a * a, 1.5, 2.0) == (-4.0, 0.0)
    with pytest.raises(FormulaError, match=r"uses np\.sin; allowed"):
        with_slope(lambda x: np.sin(x), np.ones(2))


def test_every_operation_of_formulas_has_a_derivative():
    """Signs and comparisons vary nowhere but at their steps: d/dx of |x| + [x > 1/4] x²."""
    assert set(RULES) == OPERATIONS
    x = np.array([-1.5, -0.5, 0.125, 0.5, 2.0])
    value, slope = with_slope(lambda x: np.copysign(x, 1.0) + np.greater(x, 0.25) * x * x, x)
    np.testing.assert_array_equal(value, np.abs(x) + (x > 0.25) * x**2)
    np.testing.assert_array_equal(slope, np.sign(x) + (x > 0.25) * 2 * x)
    np.testing.assert_array_equal(with_slope(lambda x: np.copysign(x, -1.0), x)[1], -np.sign(x))


WRONG = {
    "uses np.exp; use exp of runkit.formula, from -20 to 20": lambda x, of: np.exp(x),
    "uses np.log; allowed: + - * / of values, np.sqrt": lambda x, of: np.log(x),
    "uses np.power; use power of runkit.formula": lambda x, of: x**3,
    "takes power with exponent = 1.5; allowed: whole numbers from 1": lambda x, of: power(x, 1.5),
    "uses np.absolute; use np.copysign(x, 1.0)": lambda x, of: abs(x),
    "uses np.less; use np.greater(x, y), which is 1 or 0": lambda x, of: (x < 1.0) * x,
    "uses np.maximum; use g * x + (1.0 - g) * y with g": lambda x, of: np.maximum(x, 1.0),
    "uses np.where; use g * x": lambda x, of: np.where(np.greater(x, 1.0), x, 1.0),
    "uses np.sum; allowed": lambda x, of: np.sum(x),
    "chooses by a value (if, and, or, max, …); use g * x": lambda x, of: x if x > 1.0 else 1.0,
    "chooses by a value (if, and": lambda x, of: max(x, of.sigma),
    "makes a plain number of a value, as functions of `math` do; allowed": lambda x, of: math.sqrt(x),
    "makes a plain number": lambda x, of: float(x) + 1.0,
    "puts values into an array, or computes with a list": lambda x, of: np.array([x, x])[0],
    "changes a value in place by np.add; use x = x + y": lambda x, of: operator.iadd(x, 1.0),
    "combines a value with a ndarray; allowed: values and numbers": lambda x, of: x * np.ones(3),
    "combines a value with a str": lambda x, of: x * "2",
    "has the constant inf; allowed: finite numbers": lambda x, of: x * 1e999,
    "uses 'sigmas', which is not there; there are: sigma, epsilon": lambda x, of: x * of.sigmas,
    "gives a tuple; needed: one value": lambda x, of: (x, x),
    "gives a NoneType; needed: one value": lambda x, of: None,
    "has the constant nan": lambda x, of: float("nan"),
    "cannot be applied to values: ZeroDivisionError": lambda x, of: x * (1 / 0),
}


@pytest.mark.parametrize(("message", "formula"), WRONG.items(), ids=list(WRONG))
def test_a_formula_that_no_kernel_can_be_made_of_is_refused_in_one_line_that_names_it(message, formula):
    x, sigma, epsilon = symbols(3)
    with pytest.raises(UserError, match=re.escape(message)) as caught, refused("force of the law Mine", formula):
        require_value(formula(x, SimpleNamespace(sigma=sigma, epsilon=epsilon)))
    place = f"({__file__}:{formula.__code__.co_firstlineno})"
    assert str(caught.value).startswith(f"force of the law Mine {place} ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("results", "found"), [((1.0,), "1 values"), (1.0, "a float"), ((1.0, (2.0,)), "a tuple"), ((1.0, 2, 3), "3 val")]
)
def test_another_number_of_results_is_refused(results, found):
    require_values((1.0, *symbols(1)), 2)
    with pytest.raises(FormulaError, match=f"gives {found}"):
        require_values(results, 2)


def test_what_a_formula_may_do_passes_the_trial():
    require_value(everything(*symbols(2)))
    require_value(with_slope(everything, *symbols(2))[1])
