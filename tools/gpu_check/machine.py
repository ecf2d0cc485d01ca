"""What the figures were measured on: card, driver, versions, commit, date, command."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from runkit.version import code_version

QUERIES = (  # of nvidia-smi; older ones do not have all
    "name,driver_version,memory.total,clocks.max.sm,power.limit,ecc.mode.current,mig.mode.current",
    "name,driver_version,memory.total",
)
PACKAGES = (
    *("numpy", "numba", "scipy", "h5py", "mpi4py", "mpich"),
    *("torch", "torch-geometric", "triton", "deepspeed", "pydantic"),
    *("cupy-cuda12x", "cupy-cuda13x", "nvidia-cuda-nvrtc", "openmm", "gamdpy"),
)
TOOLS = ("mpiexec", "nvcc", "ncu", "compute-sanitizer", "g++")


def describe(command: Sequence[str], carried: Path, card: str = "") -> dict[str, Any]:
    """All of it; needs neither a GPU nor its driver, and then says so. The commit may be known to `carried` alone."""
    answers = (ask_driver("--query-gpu=" + query, "--format=csv,noheader") for query in QUERIES)
    found = card or next(filter(None, answers), "no GPU that nvidia-smi finds")
    return {
        "card": found.splitlines()[0].split(",")[0],
        "gpus": found.splitlines(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: known for name in PACKAGES if (known := _version(name))},
        "tools": {tool: where for tool in TOOLS if (where := shutil.which(tool))},
        "commit": _commit(carried),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(command),
    }


def ask_driver(*words: str) -> str:
    """The output of nvidia-smi; "" if it does not come in time, or there is none."""
    try:
        done = subprocess.run(["nvidia-smi", *words], capture_output=True, text=True, timeout=15)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _commit(carried: Path) -> str:
    """Of a working copy, or of the one that `prepare` was called in."""
    noted, own = carried / "commit", code_version()
    return own if "+g" in own or not noted.is_file() else noted.read_text().strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            named = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        named = []
    return named[0] if named else platform.machine()
