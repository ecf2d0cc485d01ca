"""Whether MPI starts two ranks, takes device buffers, and how long an exchange takes either way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from runkit.launcher import alone
from tools.gpu_check.step import Bench, Step, Table

STEP = Step("A", order=15, limit=60, least=15)
COLUMNS = {
    "library": "MPI",
    "ranks": "ranks",
    "device_buffers": "device buffers",
    "bytes": "bytes",
    "staged_us": "through pinned memory, µs",
    "direct_us": "device buffers, µs",
}
TABLES = {"": Table("performance", "Messages between GPUs", COLUMNS)}


def run(bench: Bench) -> None:
    """Start two ranks of their own job, whatever this process is part of; they record."""
    beside = Path(sys.executable).with_name("mpiexec")
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    if launcher is None:
        sys.exit("mpiexec is neither beside this Python nor on the PATH")
    words = [str(bench.data), str(bench.out), *(["tiny"] if bench.tiny else [])]
    command = [launcher, "-n", "2", sys.executable, "-m", "tools.gpu_check.exchange", *words]
    done = subprocess.run(command, env=alone(os.environ), stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"two ranks ended with code {done.returncode}")
