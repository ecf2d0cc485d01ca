"""What the card is: launches, graphs, copies in memory, in cache and to the host; whether kernels compile and load."""

from __future__ import annotations

from functools import partial

import numpy as np

from tools.benchmarks.gpu_clock import COPIED, copy_rate, seconds, wall
from tools.gpu_check.step import Bench, Step, Table

STEP = Step("A", order=0, limit=60, least=10)
TABLES = {
    "card": Table(
        "performance",
        "The card",
        {
            "name": "card",
            "architecture": "kernels for",
            "multiprocessors": "multiprocessors",
            "clock_GHz": "clock, GHz",
            "l2_MB": "L2, MB",
            "free_GB": "free memory, GB",
            "copy_GB_per_s": "copies, GB/s",
            "in_cache_GB_per_s": "in L2, GB/s",
        },
    ),
    "launches": Table(
        "performance",
        "Launches",
        {
            "launch_us": "a launch, µs",
            "host_us": "of which on the host, µs",
            "in_graph_us": "a kernel in a graph of 8, µs",
        },
    ),
    "host copies": Table(
        "performance",
        "Copies between host and card",
        {
            "bytes": "bytes",
            "to_pinned_us": "to pinned memory, µs",
            "from_pinned_us": "from pinned memory, µs",
            "to_plain_us": "to plain memory, µs",
        },
    ),
}

KERNELS = r"""
extern "C" __global__ void nothing(int* a) {}
"""


def run(bench: Bench) -> None:
    bench.attempt("card", _card, bench)
    bench.attempt("launches", _launches, bench)
    bench.attempt("host copies", _host_copies, bench)


def _card(bench: Bench) -> None:
    device = bench.device
    bench.record(
        "card",
        name=device.name,
        architecture=getattr(device, "architecture", "-"),
        multiprocessors=device.n_multiprocessors,
        clock_GHz=device.clock / 1e9,
        l2_MB=device.l2_bytes / 1e6,
        free_GB=device.free_bytes / 1e9,
        copy_GB_per_s=copy_rate(device, bench.size(COPIED, 1 << 20)) / 1e9,
        in_cache_GB_per_s=copy_rate(device, min(device.l2_bytes // 4, bench.size(COPIED, 1 << 18)) // 4 * 4) / 1e9,
    )


def _launches(bench: Bench) -> None:
    device, n = bench.device, bench.size(1000, 4)
    kernel, array = device.compile(KERNELS).get_function("nothing"), device.xp.zeros(1, np.int32)

    def launch() -> None:
        kernel((1,), (1,), (array,))

    launch()

    def several() -> None:
        for _ in range(8):
            launch()

    graph = device.graph(several)
    graph()
    bench.record(
        "launches",
        host_us=1e6 * wall(device, launch, 10),  # few enough that the card's queue takes them all at once
        launch_us=1e6 * seconds(device, launch, n),
        in_graph_us=1e6 * seconds(device, graph, n) / 8,
    )


def _host_copies(bench: Bench) -> None:
    device = bench.device
    for n_bytes in bench.size((1 << 12, 1 << 20, 1 << 26), (1 << 12,)):
        there, pinned = device.xp.zeros(n_bytes, np.uint8), device.pinned(n_bytes, np.uint8)
        pinned[:] = 0
        bench.record(
            "host copies",
            bytes=n_bytes,
            to_pinned_us=1e6 * wall(device, partial(device.to_host, there, pinned), 5),
            from_pinned_us=1e6 * wall(device, partial(device.to_device, pinned, there), 5),
            to_plain_us=1e6 * wall(device, partial(device.to_host, there), 5),
        )
