"""Rates of flows beside the rate of copies: as a run goes, two steps from memory as one graph, kernel by kernel."""

from __future__ import annotations

import time

from tools.benchmarks.gpu_clock import COPIED, cache_rate, copy_rate, free, seconds, wall
from tools.benchmarks.gpu_flows import Cases, Flow
from tools.gpu_check.step import Bench, Step, Table

STEP = Step("A", order=30, limit=110, least=20)
TABLES = {
    "": Table(
        "performance",
        "Lattice Boltzmann on a GPU",
        {
            "case": "case",
            "run_GLUPS": "as a run goes, GLUPS",
            "with_host": "of the copy rate",
            "from_cache": "from the cache",
            "GLUPS": "from memory, GLUPS",
            "fraction": "of the copy rate",
            "of_sweep": "sweep alone",
            "us_per_step": "a step, µs",
            "kernels_us": "its kernels, µs",
            "look_ms": "a frame seen, ms",
            "made_s": "a case made, s",
        },
    ),
    "copies": Table(
        "performance",
        "An array that is copied, read and written",
        {"memory_GBps": "in memory, GB/s", "cache_GBps": "in half of the cache, GB/s"},
    ),
}
FLOWS = (
    Flow("D2Q9", (4096, 4096)),
    Flow("D2Q9", (256, 256), 64, True),
    Flow("D2Q9", (128, 128), 64, True),
    Flow("D3Q19", (256, 256, 256)),
    Flow("D2Q9", (256, 256), 1, True),
    Flow("D2Q9", (256, 256), 256, True),
    Flow("D2Q9", (256, 256), 16, True),
    Flow("D2Q9", (4096, 4096), law="smagorinsky"),
    Flow("D2Q9", (4096, 4096), dtype="float64"),
    Flow("D2Q9", (4096, 4096), law="trt"),
    Flow("D3Q27", (128, 128, 128)),
    Flow("D3Q27", (128, 128, 128), law="smagorinsky", dtype="float64"),
)
ROUND = 100  # steps of a call, as between two frames


def run(bench: Bench) -> None:
    bandwidth = copy_rate(bench.device, bench.size(COPIED, 1 << 20))
    bench.record("copies", memory_GBps=bandwidth / 1e9, cache_GBps=cache_rate(bench.device) / 1e9)
    for flow in bench.size(FLOWS, (FLOWS[1].small(), FLOWS[3].small())):
        bench.attempt(str(flow), _measure, bench, flow, bandwidth)
        free(bench.device)


def _measure(bench: Bench, flow: Flow, bandwidth: float) -> None:
    device, n_calls, limit = bench.device, bench.size(50, 2), bandwidth / flow.site_bytes
    began = time.perf_counter()
    cases = Cases(device, flow)
    device.wait()
    made = (time.perf_counter() - began) / flow.n_cases
    step = _pair(bench, cases, n_calls) / 2
    alone: dict[str, float] = {}
    for name, launch in cases.kernels(cases.batch(8)):
        launch()
        alone[name] = alone.get(name, 0.0) + seconds(device, launch, bench.size(20, 1)) / 2
    n_steps = bench.size(ROUND, 4)
    cases.advance(n_steps)
    with_host = wall(device, lambda: cases.advance(n_steps), 3) / n_steps
    looked = wall(device, lambda: cases.statistics(2))
    bench.record(
        case=str(flow),
        GLUPS=flow.n_sites / step / 1e9,
        fraction=flow.n_sites / step / limit,
        run_GLUPS=flow.n_sites / with_host / 1e9,
        with_host=flow.n_sites / with_host / limit,
        from_cache="yes" if cases.are_in_cache else "no",
        of_sweep=flow.n_sites / alone["sweep"] / limit,
        us_per_step=1e6 * step,
        kernels_us={name: round(1e6 * value, 2) for name, value in alone.items()},
        look_ms=1e3 * looked,
        made_s=made,
    )
    cases.free()


def _pair(bench: Bench, cases: Cases, n_calls: int) -> float:
    """Seconds of two steps, launched as one graph: the least of three times."""
    batch, found = cases.batch(2 * n_calls + 8), []
    pair = cases.pair(batch)
    for _ in range(3):
        cases.rewind(batch)
        found.append(seconds(bench.device, pair, n_calls, turns=1))
    return min(found)
