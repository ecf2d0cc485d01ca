"""The tests of `runkit.device`: faint numbers, graphs, streams, kept machine code."""

from __future__ import annotations

from functools import partial

from tools.gpu_check.pytests import TABLES, run_tests
from tools.gpu_check.step import Step

STEP = Step("A", order=10, limit=60, least=15)
run = partial(run_tests, file="tests/gpu/test_device.py", n_processes=1)

__all__ = ["STEP", "TABLES", "run"]
