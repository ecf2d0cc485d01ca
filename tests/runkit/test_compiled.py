"""Compiled functions on disk: never those of another text, variant or process."""

import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from runkit.simd.compiled import _Files, kernel

ROOT = Path(__file__).parents[2]
# The cache stands beside the code, whatever the user has chosen.
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": ""}
MODULE = """
import sys
import numpy as np
from runkit.simd.compiled import kernel
from runkit.simd.parts import part

def make(factor):
    @part
    def law(a):
        waves = WAVES
        return a * factor + OFFSET if waves < 99 else waves
    def scaled(a):
        return law(a)
    return kernel(scaled, f"times {factor}")

if __name__ == "__main__":
    for factor in map(int, sys.argv[1:]):
        for kind in (np.float32(2), np.float64(2)):
            found = float(make(factor)(kind))
            assert found == 2.0 * factor + OFFSET, (factor, kind, found)
"""
# Too long a law to be inlined.
MODULE = MODULE.replace("WAVES", " + ".join(f"np.sin({k} * a)" for k in range(36)))


def start(folder, *, offset=1, factors="012"):
    """A process that makes and checks these variants, one after the other."""
    (folder / "scaled.py").write_text(f"OFFSET = {offset}{MODULE}")
    environment = os.environ | ENVIRONMENT
    return subprocess.Popen([sys.executable, "scaled.py", *factors], cwd=folder, env=environment)


def files(folder):
    return sorted(path.name for path in folder.rglob("*.nbc"))


def test_processes_that_compile_at_once_do_not_mix_up_their_functions(tmp_path):
    """Three processes, three variants, two signatures; then one that loads what they have left."""
    together = [start(tmp_path) for _ in range(3)]
    assert [process.wait() for process in together] == [0, 0, 0]
    assert len(files(tmp_path)) == 6
    assert start(tmp_path, factors="012012").wait() == 0
    assert not list(tmp_path.rglob("*.tmp*"))


def test_functions_that_different_processes_have_compiled_work_side_by_side(tmp_path):
    """Each is the first of its process, so a count of functions would give both the same symbols."""
    assert [start(tmp_path, factors=factor).wait() for factor in "12"] == [0, 0]
    assert start(tmp_path, factors="12").wait() == 0


RAISING = """
import numpy as np
from runkit.simd.compiled import kernel
from runkit.simd.parts import helper, part

@part
def least(a):
    if a.size == 0:
        raise ValueError("nothing to look at")
    return a.min()

@helper
def outer(a, name):
    if name != "a":
        raise KeyError(name)
    return least(a)

@kernel
def found(a, name):
    return outer(a, name)

assert found(np.arange(3.0), "a") == 0
for given, expected in ((np.zeros(0), "a"), "nothing to look at"), ((np.zeros(1), "b"), "b"):
    try:
        found(*given)
    except (ValueError, KeyError) as error:
        assert error.args == (expected,), error
    else:
        raise AssertionError(expected)
try:
    least(np.arange(3.0))
except TypeError as error:
    assert "call a kernel" in str(error)
else:
    raise AssertionError("a part has been called from Python")
"""


def test_errors_of_parts_arrive_also_from_kernels_that_are_loaded_and_parts_alone_are_refused(tmp_path):
    (tmp_path / "raising.py").write_text(RAISING)
    environment = os.environ | ENVIRONMENT
    for _ in range(2):
        subprocess.run([sys.executable, "raising.py"], cwd=tmp_path, env=environment, check=True)
    assert len(files(tmp_path)) == 1


def test_another_text_is_compiled_again_into_the_same_files(tmp_path):
    assert start(tmp_path, offset=1).wait() == 0
    before = files(tmp_path)
    assert start(tmp_path, offset=2).wait() == 0
    assert files(tmp_path) == before


def test_a_kernel_with_parts_of_another_package_is_made_of_all_text_of_that(tmp_path, monkeypatch):
    """Also of files that the part's own one uses; a part of the kernel's own package is known by its folder."""
    package = tmp_path / "elsewhere_of_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "law.py").write_text("class Law:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    law = importlib.import_module("elsewhere_of_test.law").Law

    def text(*parts):
        return kernel(_function, parts=parts)._cache._text

    found = [text(), text(law)]
    (package / "constants.py").write_text("RATE = 2\n")
    found.append(text(law))
    assert len(set(found)) == 3 and text(_Own) == found[0]


class _Own:
    """A part of this package."""


def _function(a):
    return a


class Gone:
    """What cannot be unpickled any more: its module is not there."""

    def __reduce__(self):
        return importlib.import_module, ("runkit.simd.a_module_that_has_gone",)


def test_what_an_earlier_text_left_is_not_unpickled(tmp_path):
    """Its modules may have been renamed; files of an earlier form, one pickle each, are made anew too."""
    old, new = (("variant",), "old text"), (("variant",), "new text")
    files = _Files(tmp_path, "kernel")
    files.save(old, Gone())
    with pytest.raises(ModuleNotFoundError):
        files.load(old)
    assert files.load(new) is None
    files._path(new).write_bytes(pickle.dumps((repr(new), Gone())))
    assert files.load(new) is None
    files.save(new, 7)
    assert files.load(new) == 7
