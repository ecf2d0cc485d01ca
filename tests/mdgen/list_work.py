"""How much work a build of neighbour lists on a GPU is, counted by the text of its kernels behind the stand-in.

    python -m tests.mdgen.list_work isoconfig_N4096T0.44_1_tc07.npz

Tests of a thread per build: of pairs (its particle and one near its chunk), and of boxes (that of its chunk and a
particle). Particles are numbered in the order of space at the start, or in any; then 16 copies, as a system of 65,536.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from mdgen.dynamics import Dynamics
from mdgen.formats import read
from mdgen.initial import Configuration
from mdgen.kernels import gpu
from mdgen.neighbors import spatial_order
from tests.mdgen.liquid import faint, kob_andersen
from tests.shim import StandIn
from tools.benchmarks.md_gpu import tiled

COUNTED = {
    "n_pair_tests": "if (distance2(s, own, other) < reach[(int)other.kind] && j != i)",
    "n_box_tests": "Vector d = apart(s, box.middle, other), half = box.half;",
}


def with_counters(text: str) -> str:
    """The text of the kernels, which counts."""
    for name, line in COUNTED.items():
        assert text.count(line) == 1
        text = text.replace(line, f"++{name}; {line}")
    return f'extern "C" {{ long long {", ".join(COUNTED)}; }}\n{text}'


def tests_per_particle(system: Configuration, order) -> dict[str, float]:
    """Tests of each kind per particle in one build of the lists of a system, by a GPU whose blocks hold 227 KiB."""
    device, velocity = StandIn(shared_bytes=227 << 10), np.full_like(system.position, 0.45)
    before, law = system.position - velocity, faint(kob_andersen().cutoff)
    one = Dynamics(before[None], velocity[None], system.species, system.box, law, 1.0, order=order, device=device)
    one.force  # noqa: B018
    (module,) = device._modules.values()
    counters = {name: ctypes.c_longlong.in_dll(module._library, name) for name in COUNTED}
    for counter in counters.values():
        counter.value = 0
    one.step(1)
    assert one.statistics["n_builds"] == 2
    return {name: counter.value / len(order) for name, counter in counters.items()}


def main(path: Path) -> None:
    """Print the tests of all cases."""
    start = read(path)[0]
    with np.load(path) as file:
        late = replace(start, position=file["positions"][0])
    text = with_counters(gpu.source(kob_andersen(), "float32"))
    gpu.source = lambda *_: text
    cases = {"start": start, "at tau_alpha": late}
    print("particles, places                 tests per build of: pairs    boxes")
    for tiles in ((1, 1, 1), (4, 2, 2)):
        for name, one in cases.items():
            system = tiled(one, tiles)
            order = spatial_order(tiled(start, tiles).position, system.box)
            for kind, ranks in (name, order), (f"{name}, any order", np.random.default_rng(1).permutation(order)):
                done = tests_per_particle(system, ranks)
                print(f"{len(order):9}, {kind:30} {done['n_pair_tests']:12.0f} {done['n_box_tests']:8.0f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
