"""The tests of training on a GPU."""

from __future__ import annotations

from functools import partial

from tools.gpu_check.pytests import TABLES, run_tests
from tools.gpu_check.step import Step

STEP = Step("B", order=15, limit=90, least=25)
run = partial(run_tests, file="tests/gpu/test_dtrain.py", n_processes=1)

__all__ = ["STEP", "TABLES", "run"]
