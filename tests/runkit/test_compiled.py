"""Compiled functions on disk: never those of another text, variant or process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE = '''
import sys
import numpy as np
from runkit.simd.compiled import kernel

def make(factor):
    def scaled(a):
        return a * factor + OFFSET
    return kernel(scaled, f"times {factor}")

def results():
    kinds = (np.float32(2), np.float64(2))
    return [float(make(factor)(kind)) for factor in range(3) for kind in kinds]

if __name__ == "__main__":
    found = [results() for _ in range(int(sys.argv[1]))][-1]
    assert found == [2.0 * factor + OFFSET for factor in range(3) for _ in range(2)], found
'''


def start(folder, *, offset, repeats=1):
    (folder / "scaled.py").write_text(f"OFFSET = {offset}{MODULE}")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "scaled.py", str(repeats)], cwd=folder, env=environment)


def files(folder):
    return sorted(path.name for path in folder.rglob("*.nbc"))


def test_processes_that_compile_at_once_do_not_mix_up_their_functions(tmp_path):
    """Three processes, three variants, two signatures; then one that loads what they have left."""
    together = [start(tmp_path, offset=1) for _ in range(3)]
    assert [process.wait() for process in together] == [0, 0, 0]
    assert len(files(tmp_path)) == 6
    assert start(tmp_path, offset=1, repeats=2).wait() == 0
    assert not list(tmp_path.rglob("*.tmp"))


def test_another_text_is_compiled_again_into_the_same_files(tmp_path):
    assert start(tmp_path, offset=1).wait() == 0
    before = files(tmp_path)
    assert start(tmp_path, offset=2).wait() == 0
    assert files(tmp_path) == before
