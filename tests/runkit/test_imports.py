"""A program that is warned while it is imported ends as unfinished, not as one that a signal has killed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runkit.errors import INTERRUPTED, UNFINISHED
from runkit.imports import SIGNALS, imports_of
from runkit.launcher import alone

ROOT = Path(__file__).parents[2]
PROGRAMS = (["-m", "mdgen"], ["-m", "lbmgen"], ["dtrain/train.py"], ["dtrain/evaluate.py"], ["dtrain/predict.py"])


@pytest.mark.parametrize(("program", "number"), list(zip(PROGRAMS, (*SIGNALS, signal.SIGTERM), strict=True)))
def test_a_warning_during_imports_is_one_line_and_unfinished(program, number):
    """Python tells each module that it has imported; NumPy is among the first large ones."""
    environment = {**alone(os.environ), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", *program], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if re.search(r"\bnumpy\.", line):
            break
    process.send_signal(number)
    errors = [line for line in process.stderr if not line.startswith("import time:")]
    assert process.wait(60) == UNFINISHED
    assert errors == [f"error: {number.name} came before the run had begun; the same command begins it\n"]


def test_signals_are_those_of_who_imports_a_program():
    before = [signal.getsignal(number) for number in SIGNALS]
    with imports_of("dtrain.predict"):
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_signal_that_is_ignored_stays_so():
    """As a job has its launcher ignore what would end it."""
    program = (
        "import os, signal\nfrom runkit.imports import imports_of\n"
        "with imports_of(__name__):\n    os.kill(os.getpid(), signal.SIGUSR2)\nprint('alive')"
    )
    command = ["sh", "-c", 'trap "" USR2; exec "$0" -c "$1"', sys.executable, program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "alive\n", done.stderr


def test_an_interrupt_while_libraries_take_leave_is_no_traceback():
    """As of torch, which has much to do there; what is registered first is called last."""
    program = (
        "import atexit, os, signal, time\nfrom runkit.imports import imports_of\n"
        "with imports_of(__name__):\n"
        "    atexit.register(lambda: (os.kill(os.getpid(), signal.SIGINT), time.sleep(5)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_limit_of_memory_below_what_imports_take_is_one_line(program):
    """Below it libraries abort in C++, give up, or end the ranks of MPI."""
    limit = 'ulimit -v 409600; exec "$0" "$@"'
    done = subprocess.run(["sh", "-c", limit, sys.executable, *program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "error: out of memory (ulimit -v allows 400 MiB): imports alone take" in done.stderr


def test_an_interrupt_that_falls_into_a_destructor_comes_again():
    """Python prints and drops what is raised there."""
    program = (
        "import os, signal, time\nfrom runkit.imports import imports_of\n"
        "class Last:\n    def __del__(self):\n        os.kill(os.getpid(), signal.SIGINT)\n        time.sleep(0)\n"
        "with imports_of(__name__):\n    last = Last()\n    del last\n    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "")
