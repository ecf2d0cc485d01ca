"""Counters of the kernels of lattice Boltzmann, a large box and a batch of streets, by Nsight Compute."""

from __future__ import annotations

from tools.benchmarks.gpu_flows import Cases, Flow
from tools.gpu_check.profiler import counters, table
from tools.gpu_check.step import Bench

STEP = counters(order=51, limit=60, kernels="sweep|boundaries|advance_cached", skip=4, count=6)
TABLES = table("Counters of lattice Boltzmann")
FLOWS = (Flow("D2Q9", (4096, 4096)), Flow("D2Q9", (256, 256), 64, True))


def run(bench: Bench) -> None:
    for flow in FLOWS:
        cases = Cases(bench.device, bench.size(flow, flow.small()))
        if flow.street:  # from the cache
            cases.advance(4)
        for _ in range(3):
            for _, launch in cases.kernels(cases.batch(8)):
                launch()
        bench.device.wait()
        cases.free()
