"""Scripts of tools/ run in this process, which spares them their imports."""

from __future__ import annotations

import io
import runpy
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

import pytest

from tests.conftest import ROOT


def tool(name: str, *words: object) -> CompletedProcess[str]:
    """What a script says and returns; it may end by an exit, but not warn of anything."""
    path, code = ROOT / "tools" / name, 0
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        patch.syspath_prepend(path.parent)
        patch.setattr(sys, "argv", [str(path), *map(str, words)])
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            code = int(end.code or 0)
    return CompletedProcess(sys.argv, code, out.getvalue(), err.getvalue())
