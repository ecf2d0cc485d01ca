"""Other codes on the same card: OpenMM and gamdpy, one system of the same liquid at a time."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from tools.benchmarks.md_gpu import peer_rate, tiled
from tools.gpu_check.replicas import TEMPERATURE, equilibrated
from tools.gpu_check.step import Bench, Step, Table

STEP = Step("B", order=50, limit=75, least=25)
COLUMNS = {"peer": "code", "particles": "particles", "Ma_per_s": "M/s", "why": "why not"}
TABLES = {"": Table("performance", "Other codes on the same card", COLUMNS)}
PEERS = ("openmm", "gamdpy")
N_STEPS = 5000


def run(bench: Bench) -> None:
    one = equilibrated(bench)
    _find_libraries()
    for peer in PEERS:
        for tiles in bench.size(((1, 1, 1), (4, 2, 2)), ((1, 1, 1),)):
            start = tiled(one, tiles)
            figures = {"peer": peer, "particles": len(start.species)}
            if find_spec(peer) is None:
                bench.record(**figures, why="not installed")
                continue
            given = sys.executable, start, TEMPERATURE, bench.size(N_STEPS, 10), bench.size("CUDA", "Reference")
            rate = bench.attempt(f"{peer} {tiles}", peer_rate, peer, *given)
            if rate is not None:
                bench.record(**figures, Ma_per_s=rate)


def _find_libraries() -> None:
    """Let peers find the libraries of CUDA that pip installs."""
    found = find_spec("nvidia")
    places = [f"{place}/cu13/lib" for place in (found.submodule_search_locations or [])] if found else []
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join([*places, os.environ.get("LD_LIBRARY_PATH", "")])
