"""What a GPU machine without network needs, in one folder: wheels, published configurations and a script to start.

The machine has Python on x86-64 with CUDA, CuPy, PyTorch, PyTorch Geometric, NumPy, SciPy, Numba, h5py, mpi4py, tqdm
and pytest. What it lacks of the project's packages comes along, with MPICH and the peers of molecular dynamics.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mdgen.formats import read
from runkit.errors import UserError
from runkit.folders import make_own_folder
from runkit.version import code_version

MIB = 1 << 20
LARGEST = 64 * MIB  # of the folder: what is carried to such machines is often limited
HERE = Path(__file__).parent
REQUIREMENTS = HERE.parents[0] / "requirements.txt"
PINNED = ("pydantic", "pydantic-core", "typing-extensions", "typing-inspection", "annotated-types", "tomli-w", "mpich")
BUILT = ("hjson", "deepspeed")  # from source, for any Python
PEERS = ("openmm==8.6.1", "openmm-cuda-13==8.6.1", "gamdpy==0.8.3")
GLIBC = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux1")


def prepare(folder: Path, configurations: Sequence[Path], python: str) -> None:
    """Fill `folder`, which must be new or one of ours; raises UserError if it becomes too large, or pip fails."""
    for path in configurations:
        read(path)  # a file that is none is noticed here
    make_own_folder(folder)
    wheels, data = folder / "wheels", folder / "data"
    for each in (wheels, data):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    for path in configurations:
        shutil.copy(path, data)
    _download(wheels, [f"{name}=={_pin(name)}" for name in PINNED], python)
    for name in BUILT:
        _build(wheels, f"{name}=={_pin(name)}")
    for peer in PEERS:
        try:
            _download(wheels, [peer], python)
        except UserError as error:  # they are compared with, not needed
            print(f"left out: {error}")
    shutil.copy(HERE / "start", folder / "start")
    (folder / "commit").write_text(code_version() + "\n")
    _check_size(folder)


def _pin(name: str) -> str:
    """The version that the project is tested with."""
    lines = REQUIREMENTS.read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.partition("==")[0] == name)


def _download(wheels: Path, packages: Sequence[str], python: str) -> None:
    platforms = [word for glibc in GLIBC for word in ("--platform", f"{glibc}_x86_64")]
    where = ["--python-version", python, "--implementation", "cp", *platforms]
    _pip("download", "--no-deps", "--only-binary=:all:", *where, "-d", str(wheels), *packages)


def _build(wheels: Path, package: str) -> None:
    _pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), package)


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", words[0], "-q", "--disable-pip-version-check", *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"DS_BUILD_OPS": "0"})
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise UserError(f"pip {words[0]} {words[-1]}: {said[-1] if said else 'failed'}")


def _check_size(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    print(f"{folder}: {len(files)} files, {total / MIB:.1f} MiB; there: bash {folder.name}/start run A --out OUT")
    if total > LARGEST:
        raise UserError(f"{folder}: {total / MIB:.1f} MiB, more than {LARGEST / MIB:.0f}: give fewer --configurations")
