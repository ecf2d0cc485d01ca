"""The tests of molecular dynamics on a GPU: the bits of the CPU."""

from __future__ import annotations

from functools import partial

from tools.gpu_check.pytests import TABLES, run_tests
from tools.gpu_check.step import Step

STEP = Step("A", order=40, limit=170, least=30, beside="tests_lbm")  # both mostly compile for the CPU
run = partial(run_tests, file="tests/gpu/test_mdgen.py", n_processes=6)

__all__ = ["STEP", "TABLES", "run"]
