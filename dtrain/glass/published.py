"""Published scores of particle propensity, to stand beside ours at the same temperature and time.

Kob–Andersen 80:20, N = 4096, A particles, 100 test configurations. The ensembles behind these labels have 32 replicas.
The table beside this file (published.csv) has, for each model, the configurations that it was trained on, the
correlation within each configuration, averaged (`pearson`), the one over all particles together (`pooled`), and the
susceptibility chi_4 of its predictions; of the simulation it has chi_4, and as `pooled` the ceiling that the noise of
the labels sets, which was published for T = 0.44 alone. transferred.csv has the pooled correlations at tau_alpha of
models that had learnt at one temperature and were tested at another.

Source: repository xjiang-hnu/EIGNN, results/pcc_{mean,all}_{044,050,056,064}.csv; GlassBench,
doi:10.5281/zenodo.10118191, KA_results/FIG5.dat, FIG7.dat and rhomax_T0.44_MD.dat. BOTAN: doi:10.1063/5.0129791. CAGE:
R. M. Alkemade et al., J. Chem. Phys. 158, 134512 (2023). GlassMLP: doi:10.1103/PhysRevLett.130.238202. SE(3)-GNN:
arXiv:2211.03226. EIGNN: arXiv:2407.06111; it uses the inherent structure, or (cage) the mean positions of particles in
their cages, which take a simulation.
Units: Lennard-Jones.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

SIMULATION = "simulation"
MODELS = ("BOTAN", "CAGE", "GlassMLP", "SE(3)-GNN", "EIGNN cage", "EIGNN")

SIMULATED = ("CAGE", "EIGNN cage")  # those that take a simulation of each configuration

TAU_ALPHA = {0.44: 4120.0, 0.50: 217.0, 0.56: 52.0, 0.64: 16.5}


class Published(NamedTuple):
    """What was published of a model at one temperature and time; None where nothing was."""

    n_train: int | None
    pearson: float | None
    pooled: float | None
    chi4: float | None


def covers(config: Mapping[str, Any]) -> bool:
    """Whether a dataset with this configuration is of the published system, so that figures can be compared."""
    system = config.get("system", {})
    is_same_density = math.isclose(system.get("density", 0.0), 1.2, rel_tol=1e-3)
    return system.get("potential") == "kob-andersen" and is_same_density and not system.get("parameters")


def times(temperature: float) -> tuple[float, ...]:
    """The published times at `temperature`, ascending; () if none was published."""
    return tuple(sorted({time for known, time, _ in _table() if _is_same(known, temperature)}))


def scores(temperature: float, time: float) -> dict[str, Published]:
    """Model -> its scores at this temperature and time; {} if they were not published."""
    found = _at(temperature, time)
    return {model: found[model] for model in MODELS if model in found}


def transferred(tested: tuple[float, float], learnt: tuple[float, float]) -> dict[str, float]:
    """Model -> its pooled correlation where it is tested, (temperature, time), when it has learnt elsewhere.

    {} if that was not published: both times have to be tau_alpha.
    """
    if not all(math.isclose(time, tau_alpha(at) or 0.0, rel_tol=0.01) for at, time in (tested, learnt)):
        return {}
    rows = [row for row in _rows("transferred.csv") if _is_same(float(row["tested"]), tested[0])]
    return {row["model"]: float(row["pooled"]) for row in rows if _is_same(float(row["learnt"]), learnt[0])}


def simulated(temperature: float, time: float) -> Published | None:
    """The pooled ceiling and chi_4 of the simulation; None if they were not published."""
    return _at(temperature, time).get(SIMULATION)


def tau_alpha(temperature: float) -> float | None:
    """tau_alpha as the source defines it, one of the published times; None if it was not published."""
    return next((time for known, time in TAU_ALPHA.items() if _is_same(known, temperature)), None)


def in_words(temperature: float, time: float) -> list[str]:
    """A line for each model, and one for the ceiling: what was published at this temperature and time."""
    lines = [
        f"{titled(model)}, {one.n_train} to train on: rho {one.pearson:.3f}, pooled {one.pooled:.3f}"
        + ("" if one.chi4 is None else f", chi_4 {one.chi4:.3g}")
        for model, one in scores(temperature, time).items()
    ]
    limit = simulated(temperature, time)
    if limit is not None:
        ceiling = f"noise ceiling, pooled {limit.pooled:.3f}, " if limit.pooled is not None else ""
        lines.append(f"simulation: {ceiling}chi_4 {limit.chi4:.3g}")
    return lines


def titled(model: str) -> str:
    """The name of a model, with a word where it takes a simulation of each configuration."""
    return f"{model} (simulation)" if model in SIMULATED else model


def _at(temperature: float, time: float) -> dict[str, Published]:
    """All that was published at this temperature and time, by model."""
    return {
        model: values
        for (known, at, model), values in _table().items()
        if _is_same(known, temperature) and math.isclose(at, time, rel_tol=0.01)
    }


def _is_same(known: float, temperature: float) -> bool:
    return math.isclose(known, temperature, abs_tol=1e-6)


@cache
def _table() -> dict[tuple[float, float, str], Published]:
    """(temperature, time, model) -> what was published."""
    return {
        (float(row["temperature"]), float(row["time"]), row["model"]): Published(
            int(row["n_train"]) if row["n_train"] else None,
            *(float(row[name]) if row[name] else None for name in ("pearson", "pooled", "chi4")),
        )
        for row in _rows("published.csv")
    }


@cache
def _rows(name: str) -> list[dict[str, str]]:
    """A table beside this file."""
    with open(Path(__file__).with_name(name), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
