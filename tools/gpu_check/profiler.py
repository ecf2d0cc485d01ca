"""Counters of kernels, from what Nsight Compute prints."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import numpy as np

from tools.gpu_check.step import Step, Table

SECTIONS = (
    *("SpeedOfLight", "MemoryWorkloadAnalysis", "LaunchStats", "Occupancy", "SchedulerStats", "WarpStateStats"),
    "InstructionStats",
)
# Name of a metric, and its unit if two have the name -> ours.
KEPT = {
    ("Duration", ""): "us",
    ("Registers Per Thread", ""): "registers",
    ("Achieved Occupancy", ""): "occupancy",
    ("Compute (SM) Throughput", ""): "compute",
    ("DRAM Throughput", ""): "dram",
    ("L1/TEX Cache Throughput", ""): "l1",
    ("L2 Hit Rate", ""): "l2_hits",
    ("Issued Warp Per Scheduler", ""): "issued",
    ("Warp Cycles Per Issued Instruction", ""): "cycles_per_instruction",
    ("Executed Instructions", ""): "instructions",
}
COLUMNS = {
    "kernel": "kernel",
    "launches": "launches",
    "us": "time, µs",
    "registers": "registers",
    "occupancy": "occupancy, %",
    "compute": "compute, %",
    "dram": "memory, %",
    "l1": "L1 and shared memory, %",
    "l2_hits": "hits in L2, %",
    "issued": "warps issued per cycle",
    "cycles_per_instruction": "cycles per instruction",
}
MICROSECONDS = {"ns": 1e-3, "nsecond": 1e-3, "us": 1.0, "usecond": 1.0, "ms": 1e3, "msecond": 1e3}


def counters(order: int, limit: float, kernels: str, skip: int, count: int) -> Step:
    """A step under the profiler, for `count` launches of kernels whose names match, after `skip` of them."""
    sections = [word for name in SECTIONS for word in ("--section", name)]
    chosen = ("-k", f"regex:^({kernels})$", "-s", str(skip), "-c", str(count))
    under = ("ncu", "--csv", "--clock-control", "none", "--target-processes", "all", *sections, *chosen)
    return Step("A", order, limit, least=25, under=under, read=read_counters)


def table(title: str) -> dict[str, Table]:
    return {"": Table("performance", title, COLUMNS)}


def read_counters(text: str) -> list[dict[str, Any]]:
    """Means over the launches of each kernel, of `ncu --csv`."""
    found: dict[str, dict[str, list[float]]] = {}
    launches: dict[str, set[str]] = {}
    for row in _rows(text):
        kernel = row["Kernel Name"].partition("(")[0]
        launches.setdefault(kernel, set()).add(row["ID"])
        name, unit = row.get("Metric Name", ""), row.get("Metric Unit", "")
        if ours := KEPT.get((name, "")):
            value = float(row["Metric Value"].replace(",", "")) * (MICROSECONDS.get(unit, 1.0) if ours == "us" else 1.0)
            found.setdefault(kernel, {}).setdefault(ours, []).append(value)
    return [
        {"kernel": kernel, "launches": len(launches[kernel])}
        | {name: float(f"{np.mean(values):.5g}") for name, values in figures.items()}
        for kernel, figures in found.items()
    ]


def _rows(text: str) -> Iterator[dict[str, str]]:
    lines = text.splitlines()
    first = next((k for k, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    yield from csv.DictReader(line for line in lines[first:] if line.startswith('"'))
