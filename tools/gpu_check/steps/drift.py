"""The energy of NVE trajectories, in both precisions, as `tools.validate_md drift` looks at it."""

from __future__ import annotations

from tools.gpu_check.replicas import TEMPERATURE, equilibrated
from tools.gpu_check.step import Bench, Step, Table
from tools.validate_md import PRECISIONS, drift_limit, energy_drift

STEP = Step("B", order=40, limit=60, least=25)
COLUMNS = {
    "precision": "forces",
    "steps": "steps",
    "rms": "rms (E − E0)/N",
    "limit": "limit",
    "slope": "mean slope of E/N per unit of time",
    "error": "its standard error",
}
TABLES = {"": Table("validation", "Energy conservation on a GPU", COLUMNS)}


def run(bench: Bench) -> None:
    start, n_steps = equilibrated(bench), bench.size(200_000, 100)
    temperature = bench.size(TEMPERATURE, 2.0)
    for precision in bench.size(PRECISIONS[::-1], PRECISIONS[1:]):
        found = energy_drift(start, bench.device, precision, n_steps, temperature)
        bench.record(precision=precision, steps=n_steps, limit=drift_limit(n_steps), **found._asdict())
