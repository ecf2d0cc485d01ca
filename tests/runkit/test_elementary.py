"""Elementary functions: near the true values, and the same bits whatever NumPy would do on this processor."""

from __future__ import annotations

import os
import subprocess
import sys

import mpmath
import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__

from runkit import elementary

VALUES = np.linspace(-6, 6, 241)
TRUE = {"exp": mpmath.exp, "sin": mpmath.sin, "cos": mpmath.cos, "sinc": mpmath.sinc}
DIGEST = (
    "import hashlib, numpy as np; from runkit import elementary as e;"
    "x = np.random.Generator(np.random.Philox(key=[1, 0])).random(4000) * 9 + 0.1;"
    "print([hashlib.sha256(f(x).tobytes()).hexdigest() for f in"
    " (e.exp, e.sin, e.cos, e.sinc, lambda x: e.power(x, 6), lambda x: e.squared_length(x.reshape(-1, 4)))],"
    " hashlib.sha256(np.exp(x).tobytes()).hexdigest())"
)


@pytest.mark.parametrize("name", TRUE)
def test_a_function_is_within_a_unit_of_the_last_place(name):
    """Against 30 digits, for arrays of any shape."""
    with mpmath.workdps(30):
        expected = np.array([float(TRUE[name](mpmath.mpf(value))) for value in VALUES])
    found = getattr(elementary, name)(VALUES.reshape(1, -1, 1))
    assert found.shape == (1, len(VALUES), 1)
    np.testing.assert_array_max_ulp(found.ravel(), expected, 2 if name == "sinc" else 1)


def test_a_power_is_the_nearest_number():
    """sigma^12 of the mixture by Kob and Andersen, as the kernels have it."""
    with mpmath.workdps(40):
        expected = [float(mpmath.mpf(sigma) ** 12) for sigma in (0.8, 0.88, 1.0)]
    assert elementary.power([0.8, 0.88, 1.0], 12).tolist() == expected


def test_squares_are_added_from_the_first_component_on():
    """To 2^54 float64 adds 2.88, but not 1.44 twice."""
    first, last = elementary.squared_length(np.array([[2.0**27, 1.2, 1.2], [1.2, 1.2, 2.0**27]]))
    assert (first, last) == (2.0**54, 2.0**54 + 4)


def test_no_bit_depends_on_the_vectors_that_numpy_would_use():
    """The same digests with all of NumPy's vector forms switched off."""
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__)}
    runs = [
        subprocess.run([sys.executable, "-W", "ignore", "-c", DIGEST], env=env, capture_output=True, text=True)
        for env in (os.environ, environment)
    ]
    with_vectors, without = (run.stdout.rsplit(maxsplit=1)[0] for run in runs)
    assert with_vectors == without != ""
