"""The launcher of MPI that belongs to this Python."""

from __future__ import annotations

import sys
from pathlib import Path


def mpiexec() -> str:
    """The one beside this Python, or else the one on the path."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else "mpiexec"
