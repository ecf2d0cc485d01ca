"""The tests of flow on a GPU: the bits of the CPU, two ranks on one GPU included."""

from __future__ import annotations

from functools import partial

from tools.gpu_check.pytests import TABLES, run_tests
from tools.gpu_check.step import Step

STEP = Step("A", order=41, limit=170, least=30)
run = partial(run_tests, file="tests/gpu/test_lbmgen.py", n_processes=8)

__all__ = ["STEP", "TABLES", "run"]
