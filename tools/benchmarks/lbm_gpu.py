"""lbmgen on a GPU beside the bandwidth of its memory: 1e9 site updates per second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runkit.device import choose
from runkit.mpi import SerialWorld
from tools.benchmarks.gpu_clock import cache_rate, copy_rate, free, wall
from tools.benchmarks.gpu_flows import Cases, Flow
from tools.benchmarks.table import Row, show

ROUND = 100  # steps of a call, as between two frames
FLOWS = {  # and what is to be reached
    Flow("D2Q9", (4096, 4096)): "fraction 0.9",
    Flow("D2Q9", (256, 256), 1, True): "-",
    **{Flow("D2Q9", (256, 256), n, True): "fraction 1.3" if n == 64 else "-" for n in (16, 64, 256)},
    Flow("D2Q9", (128, 128), 64, True): "fraction 1.3",
    Flow("D3Q19", (256, 256, 256)): "fraction 0.9",
    **{Flow("D2Q9", (4096, 4096), law=law): "-" for law in ("trt", "regularised", "smagorinsky")},
}


def run(arguments) -> None:
    """Measure all flows and print the table."""
    gpu: Any = choose(SerialWorld(), "gpu")
    bandwidth = copy_rate(gpu)
    print(f"{gpu.name}: an array is copied at {bandwidth / 1e9:.4g} GB/s, read and written; ", end="")
    print(f"within half of the {gpu.l2_bytes >> 20} MiB cache at {cache_rate(gpu) / 1e9:.4g} GB/s\n")
    show(rows(gpu, arguments.seconds, bandwidth), "GLUPS")


def rows(gpu: Any, seconds: float, bandwidth: float, flows: Mapping[Flow, str] = FLOWS) -> Iterator[Row]:
    """Rates of all flows beside what `bandwidth` in B/s allows."""
    for flow, target in flows.items():
        limit = bandwidth / flow.site_bytes
        yield Row(str(flow), rates(gpu, flow, seconds), limit=limit / 1e9, target=target)
        free(gpu)


def rates(gpu: Any, flow: Flow, seconds: float) -> list[float]:
    """1e9 site updates per second, of calls of ROUND steps that go on for so long: three or more."""
    cases = Cases(gpu, flow)
    cases.advance(ROUND)
    took = [wall(gpu, lambda: cases.advance(ROUND)) for _ in range(3)]
    while sum(took) < seconds:
        took.append(wall(gpu, lambda: cases.advance(ROUND)))
    cases.free()
    return [ROUND * flow.n_sites / each / 1e9 for each in took]
