"""lbmgen on the CPU beside lbmpy's generated kernel and the bandwidth of memory: million site updates per second."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from lbmgen.lattices import lattice
from runkit.errors import UserError
from tools.benchmarks.peer import Peer
from tools.benchmarks.table import Row, show
from tools.mpiexec import mpiexec

ROOT = Path(__file__).parents[2]
BOXES = ("256x256", "1024x1024", "4096x1024")
PRECISIONS = ("float32", "float64")
BESIDE_PEER = "ratio 1"
MORE = (
    ("D2Q9", "trt", "1024x1024", "-"),
    ("D2Q9", "regularised", "1024x1024", "-"),
    ("D2Q9", "smagorinsky", "1024x1024", "fraction 0.7"),
    ("D3Q19", "bgk", "128x128x128", BESIDE_PEER),
    ("D3Q27", "bgk", "96x96x96", BESIDE_PEER),
)
STREETS = ("128x128", "256x256")  # how much of a step boundaries leave to sites


def run(arguments) -> None:
    """Measure all cases on each number of cores and print the table."""
    n_cores = len(os.sched_getaffinity(0))
    for n_ranks in arguments.ranks:
        if n_ranks > n_cores:
            raise UserError(f"--ranks {n_ranks}: only {n_cores} cores are there")
    show(_rows(arguments, LBMPY.find(arguments.lbmpy)), "MLUPS", "lbmpy")


def _rows(arguments, python: Path) -> Iterator[Row]:
    for n_ranks in arguments.ranks:
        cores = "1 core" if n_ranks == 1 else f"{n_ranks} cores"
        ours, peer = launch(n_ranks), _peer(python, n_ranks)
        try:
            for dtype, box in product(PRECISIONS, BOXES):
                yield _row(arguments, ours, peer, ("D2Q9", "bgk", dtype, box), (cores, BESIDE_PEER))
            for name, law, box, target in MORE:
                beside = peer if law == "bgk" else None
                yield _row(arguments, ours, beside, (name, law, "float32", box), (cores, target))
            for box in STREETS:
                yield _street(arguments, ours, ("D2Q9", "bgk", "float32", box), cores)
        finally:
            ours.close()
            peer.close()


def _row(arguments, ours: Worker, peer: Worker | None, case: tuple[str, ...], about: tuple[str, str]) -> Row:
    """A case (lattice, law, type, box) in turns; `about` names the cores and the target."""
    (name, law, dtype, box), (cores, target), seconds = case, about, arguments.seconds
    turns = [
        (
            ours.ask(f"{name} {law} {dtype} {box} {seconds}"),
            peer.ask(f"{name} {dtype} {box} {seconds}") if peer else nan,
            _limit(ours, lattice(name).q, dtype, seconds),
        )
        for _ in range(arguments.turns)
    ]
    mine, theirs, limits = np.array(turns).T
    return Row(f"{' '.join(case)}, {cores}", mine, theirs, float(np.median(limits)), target)


def _street(arguments, ours: Worker, case: tuple[str, ...], cores: str) -> Row:
    """Flow past a cylinder; the limit is the periodic box of this size, in turns."""
    (name, law, dtype, box), seconds = case, arguments.seconds
    turns = [
        [ours.ask(f"{name} {law} {dtype} {shape} {seconds}") for shape in (f"street-{box}", box)]
        for _ in range(arguments.turns)
    ]
    mine, limits = np.array(turns).T
    title = f"{name} {law} {dtype} street {box}, {cores}"
    return Row(title, mine, limit=float(np.median(limits)), target="fraction 0.9")


def _limit(ours: Worker, q: int, dtype: str, seconds: float) -> float:
    """Million site updates per second if memory were all that counts."""
    return 1e3 * ours.ask(f"scale - {dtype} - {seconds / 2}") / (2 * q * np.dtype(dtype).itemsize)


class Worker:
    """A process that answers lines with numbers."""

    def __init__(self, command: list[str | Path], environment: dict[str, str]) -> None:
        self._process: Any = subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if "lbmpy" in str(command) else None,
            text=True,
        )

    def ask(self, question: str) -> float:
        """The answer; raises UserError if the process has died."""
        try:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
            return float(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):
            lines = (self._process.stderr.read() if self._process.stderr else "").strip().splitlines()
            raise UserError(f"the measurement of {question!r} ended: {lines[-1] if lines else 'see above'}") from None

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def launch(n_ranks: int) -> Worker:
    """Ours on so many ranks."""
    return Worker([mpiexec(), "-n", str(n_ranks), sys.executable, "-m", "tools.benchmarks.lbm_worker"], {})


def _peer(python: Path, n_threads: int) -> Worker:
    cores = sorted(os.sched_getaffinity(0))[:n_threads]
    pinned = ["taskset", "-c", ",".join(map(str, cores))]
    environment = {"OMP_NUM_THREADS": str(n_threads), "OMP_PROC_BIND": "true", "OMP_PLACES": "cores", "PYTHONPATH": ""}
    return Worker([*pinned, python, Path(__file__).with_name("lbmpy_worker.py"), str(n_threads)], environment)


def _has_lbmpy(python: Path) -> bool:
    return not subprocess.run([python, "-c", "import lbmpy"], capture_output=True).returncode


LBMPY = Peer(
    "lbmpy", "python", ("lbmpy", "pystencils", "cython", "numpy"), "--lbmpy", "a Python that has it", _has_lbmpy
)
