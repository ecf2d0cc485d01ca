"""`python -m lbmgen show …` in this process."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import Any

from lbmgen.config import RunConfig
from lbmgen.plan import show
from runkit.cli import run_program
from runkit.config import load
from tests.real import wrong

SMALL = ("n_cases=2", "grid.cells=[48, 32]", "obstacles.diameter=[4, 5]", "obstacles.families=[{family='circle'}]")


def shown(*settings: str) -> tuple[int, str, str]:
    """Exit code and both streams of `show` for a small configuration with changes."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            run_program("python -m lbmgen", RunConfig, print, show, arguments=["show", *SMALL, *settings])
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


def refusal(*settings: str) -> str:
    """The one line with which a configuration is refused."""
    code, out, err = shown(*settings)
    lines = [line for line in err.splitlines() if not line.startswith("draw:")]
    assert code == 2 and not out and len(lines) == 1, (code, out, err)
    return lines[0]


def plan_or_refusal(key: str, value: Any) -> str:
    """What is said of a value of a dotted key: the line of a refusal, or nothing if a plan was made."""
    return wrong.plan_or_refusal(partial(load, RunConfig, None), show, SMALL, key, value)
