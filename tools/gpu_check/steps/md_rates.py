"""Rates of batches of replicas beside limits: sharing of the card, threads of a block, reach of lists, precision."""

from __future__ import annotations

import time

from mdgen.tuning import Tuning
from tools.benchmarks.gpu_clock import COPIED, copy_rate, free
from tools.benchmarks.md_gpu import tiled
from tools.benchmarks.md_limits import limits
from tools.gpu_check.replicas import Ensemble, equilibrated, kernels
from tools.gpu_check.step import Bench, Step, Table

STEP = Step("A", order=20, limit=110, least=20)
TABLES = {
    "": Table(
        "performance",
        "Molecular dynamics on a GPU",
        {
            "case": "case",
            "Ma_per_s": "ours, M/s",
            "us_per_step": "a step, µs",
            "of_issue": "of what can be issued",
            "of_gather": "of what shared memory gives",
            "of_memory": "of what memory moves",
            "one_block": "one block",
            "threads": "threads",
            "inner_skin": "skin",
            "outer_skin": "outer skin",
            "entries": "entries of a list",
            "steps_per_prune": "steps per inner list",
            "steps_per_build": "steps per outer list",
        },
    ),
}

SKINS = ((0.3, 1.0), (0.3, 1.6), (0.3, 2.0), (0.22, 1.3), (0.4, 1.6))


def run(bench: Bench) -> None:
    one = equilibrated(bench)
    bandwidth = copy_rate(bench.device, bench.size(COPIED, 1 << 20))
    for n_replicas, precision, tuning, tiles in _cases(bench):
        start = tiled(one, tiles) if tiles != (1, 1, 1) else one
        ensemble = Ensemble([start], n_replicas, precision)
        bench.attempt(f"{n_replicas} {precision} {tuning}", _measure, bench, ensemble, tuning, bandwidth)
        free(bench.device)


def _cases(bench: Bench):
    """Most telling first: a full card, four times that, then what may be better."""
    full, plain, alone = bench.device.n_multiprocessors, Tuning(), (1, 1, 1)
    if bench.tiny:
        return [(3, "float32", plain, alone), (1, "float64", Tuning(False), alone), (1, "float32", plain, (2, 1, 1))]
    large = [(32, (2, 2, 1)), (8, (4, 2, 2)), (1, (4, 4, 4))]
    return [
        *((n, "float32", plain, alone) for n in (full, 4 * full, 512)),
        (full, "float64", plain, alone),
        *((4 * full, "float32", Tuning(threads=n), alone) for n in (512, 640)),
        *((n * full, "float32", Tuning(threads=t), alone) for n, t in ((2, 512), (2, 1024), (3, 256))),
        *((n, "float32", Tuning(one_block), alone) for n in (32, full // 2) for one_block in (False, True)),
        *((full, "float32", Tuning(inner_skin=inner, outer_skin=outer), alone) for inner, outer in SKINS),
        (1, "float32", plain, alone),
        *((n, "float32", plain, tiles) for n, tiles in large),
    ]


def _measure(bench: Bench, ensemble: Ensemble, tuning: Tuning, bandwidth: float) -> None:
    device, n_steps = bench.device, bench.size(512, 8)
    dynamics = ensemble.on(device, tuning)
    dynamics.step(n_steps // 4)
    before, best = dynamics.statistics, 0.0
    n_moved = dynamics.n_replicas * dynamics.n_particles * n_steps
    for _ in range(2):
        began = time.perf_counter()
        dynamics.step(n_steps)
        best = max(best, n_moved / (time.perf_counter() - began))
    now = dynamics.statistics
    of = {name: best / (1e6 * most) for name, most in limits(device, dynamics, bandwidth).items()}
    made = {
        name: 2 * n_steps * dynamics.n_replicas / max(1, now[name] - before[name]) for name in ("n_prunes", "n_builds")
    }
    bench.record(
        case=f"{dynamics.n_replicas} replicas of {dynamics.n_particles}, {ensemble.precision}",
        Ma_per_s=best / 1e6,
        us_per_step=1e6 * n_moved / n_steps / best,
        **{f"of_{name}": share for name, share in of.items()},
        one_block=kernels(dynamics).one_block,
        threads=kernels(dynamics).threads,
        inner_skin=tuning.inner_skin,
        outer_skin=tuning.outer_skin,
        entries=now["entries_per_particle"],
        steps_per_prune=made["n_prunes"],
        steps_per_build=made["n_builds"],
        late=now["dangerous_builds"],
    )
