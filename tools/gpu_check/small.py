"""Every kernel, on so little that a sanitizer is done in seconds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from lbmgen.block import statistics
from mdgen.initial import melt
from mdgen.thermostats import thermostat
from mdgen.tuning import Tuning
from tests.lbmgen.flows import FACES, Setting, ramp
from tools.gpu_check.replicas import Ensemble
from tools.gpu_check.step import Bench, Table

SANITIZER = ("compute-sanitizer", "--launch-timeout", "60", "--error-exitcode", "9", "--tool")
COLUMNS = {"step": "tool", "summary": "what it says"}
TABLES = {"": Table("validation", "Kernels under a sanitizer", COLUMNS)}
SUMMARY = re.compile(r"=+ ((?:ERROR|RACECHECK) SUMMARY: .*)")


def every_kernel(bench: Bench) -> None:
    """Replicas with one block each or many, every thermostat, in both precisions; flows with faces of all kinds."""
    device = bench.device
    if hasattr(device.xp, "cuda"):
        device.xp.cuda.set_allocator(None)  # a piece of memory for each array: what goes beyond its end is seen
    start = melt(bench.size(500, 160), (0.8, 0.2), 1.2, 1, 0)
    n = 0
    for precision in ("float32", "float64"):
        for coupling in bench.size(("", *thermostat.names()), ("", "bussi")):
            for one_block in (True, False):
                system = Ensemble([start], 3, precision, coupling, 2.0).on(device, Tuning(one_block))
                system.step(bench.size(24, 4))
                assert np.isfinite(system.snapshot().energy_per_particle).all()
                n += 1
    for lattice in ("D2Q9", "D3Q19"):
        for faces in bench.size(list(FACES.values()), list(FACES.values())[1:2]):
            block = Setting(lattice, faces=faces).block(device)
            block.advance(ramp(bench.size(6, 2)))
            statistics([block], 2)
            n += 1
    bench.record("work", runs=n)


def read_summary(text: str) -> list[dict[str, Any]]:
    """The last line of a sanitizer."""
    return [{"summary": found} for found in SUMMARY.findall(text)]
