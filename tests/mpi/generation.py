"""A generation that has to succeed."""

from __future__ import annotations

from pathlib import Path


def generate(mpiexec, program: str, n_ranks: int, name: str, *settings: str) -> Path:
    """The file `name`.h5 of a run on so many ranks."""
    done = mpiexec(n_ranks, "-m", program, *settings, f"output={name}.h5")
    assert done.returncode == 0, done.stderr
    assert f"% of {n_ranks} rank(s)" in done.stdout and "memory: about" in done.stdout
    return mpiexec.directory / f"{name}.h5"
