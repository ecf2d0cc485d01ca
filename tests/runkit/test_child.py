"""Commands that hang, crash or leave something running."""

from __future__ import annotations

import os
import sys
import time

import pytest

from runkit import child
from runkit.child import run_apart
from runkit.launcher import alone


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_what_a_command_says_and_how_it_ends_is_known():
    ended = run_apart(python("import sys; print('out'); sys.exit('err')"), 30)
    assert (ended.code, ended.how, ended.text) == (1, "exit 1", "out\nerr\n") or ended.text == "err\nout\n"
    assert run_apart(python("import os; os.abort()"), 30).how == "SIGABRT"
    assert run_apart(python("print('x' * 100)"), 30, most=10).text == "x" * 9 + "\n"


def test_a_command_that_hangs_ends_with_all_that_it_started(tmp_path):
    """Its child ignores the hang-up of its parent, and would write a file."""
    file = tmp_path / "file"
    program = f"import time; time.sleep(2); open({str(file)!r}, 'w')"
    ended = run_apart(python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"), 0.5)
    assert ended.code is None and ended.how == "limit" and ended.seconds < 2
    time.sleep(2)
    assert not file.exists()


def test_a_command_that_cannot_be_killed_does_not_hold_the_caller(monkeypatch):
    """As one that waits within a driver: here no signal reaches it until the caller has gone on."""
    kill, held = child._kill, []
    monkeypatch.setattr(child, "_kill", held.append)
    monkeypatch.setattr(child, "SECONDS_TO_DIE", 0.1)
    ended = run_apart(python("import time; time.sleep(60)"), 0.1)
    assert ended.how == "limit" and ended.seconds < 10
    kill(*held)


def test_a_command_that_is_not_there_is_an_error():
    with pytest.raises(OSError, match="no-such"):
        run_apart(["no-such-program"], 1)


def test_a_process_alone_keeps_the_settings_of_its_library_and_nothing_of_the_job():
    job = {"PMI_RANK": "1", "PMIX_RANK": "1", "OMPI_COMM_WORLD_RANK": "1", "OMPI_MCA_ess": "pmi", "SLURM_STEP_ID": "0"}
    settings = {"MPIR_CVAR_CH4_OFI": "1", "OMPI_MCA_pml": "ucx", "MV2_USE_CUDA": "1", "MPICH_GPU_SUPPORT_ENABLED": "1"}
    assert alone(os.environ | job | settings) == alone(os.environ) | settings
