"""Counters of the kernels of molecular dynamics, replicas with one block each and with many, by Nsight Compute."""

from __future__ import annotations

from mdgen.tuning import Tuning
from tools.gpu_check.profiler import counters, table
from tools.gpu_check.replicas import Ensemble, equilibrated
from tools.gpu_check.step import Bench

STEP = counters(order=50, limit=80, kernels="integrate|push|drift|refresh", skip=0, count=12)
TABLES = table("Counters of molecular dynamics")


def run(bench: Bench) -> None:
    """Launches: forces (drift, refresh, push), then integrate again and again; then steps in many blocks."""
    one = equilibrated(bench)
    for n_replicas, one_block in ((bench.device.n_multiprocessors, True), (bench.size(64, 2), False)):
        replicas = Ensemble([one], n_replicas).on(bench.device, Tuning(one_block))
        for _ in range(3):
            replicas.step(bench.size(16 if one_block else 2, 2))
    bench.device.wait()
