"""Programs of tools/ run in this process, which spares them their imports."""

from __future__ import annotations

import io
import runpy
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

import pytest


def tool(name: str, *words: object) -> CompletedProcess[str]:
    """What a program says and returns; it may end by an exit, but not warn of anything."""
    code, out, err = 0, io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # between libraries; some are UserWarnings, too
        patch.setattr(sys, "argv", [name, *map(str, words)])
        patch.delitem(sys.modules, f"tools.{name}", raising=False)  # another test may have imported it
        try:
            runpy.run_module(f"tools.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = int(end.code or 0)
    return CompletedProcess(sys.argv, code, out.getvalue(), err.getvalue())
