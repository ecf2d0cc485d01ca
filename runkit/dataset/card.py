"""A card on a dataset file that a person can read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runkit.dataset.flow import FLOW, FLOW_3D
from runkit.dataset.layout import in_units
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED, ISOCONFIG, PENDING

_SHOWN_FAILURES = 10
# Column of the card -> field; those with an axis of species show species 0.
_HEADLINES = {
    "reliability": "propensity_reliability",
    "bond reliab.": "bond_change_reliability",
    "MSD": "mean_squared_displacement",
    "overlap": "overlap",
    "F_s": "self_scattering",
}


def card(dataset: Dataset) -> str:
    """Several lines: what, when, by which code, sizes, progress, failures and headline figures."""
    about = dataset.attributes
    state = "complete" if dataset.is_complete else "unfinished"
    lines = [
        f"{dataset.path}",
        f"  {dataset.schema.name} version {dataset.schema.version}, {state}, {in_units(dataset.path.stat().st_size)}",
        f"  made {about.get('created', '?')} by code {about.get('code_version', '?')}, seed {about.get('seed', '?')}",
        "  " + ", ".join(f"{dim} {length}" for dim, length in dataset.sizes.items()),
    ]
    if dataset.absent:
        lines.append(f"  without {', '.join(dataset.absent)}")
    lines += [f"  {line}" for line in _progress(dataset)]
    if dataset.schema == ISOCONFIG:
        lines += [f"  {line}" for line in _glass(dataset)]
    if dataset.schema in (FLOW, FLOW_3D):
        lines += [f"  {line}" for line in _flow(dataset)]
    return "\n".join(lines)


def _progress(dataset: Dataset) -> list[str]:
    rows: list[list[Any]] = [["stage", "units", "complete", "failed", "pending"]]
    for stage in dataset.schema.stages:
        status = dataset[stage.name][()]
        counts = [int(np.sum(status == flag)) for flag in (COMPLETE, FAILED, PENDING)]
        rows.append([stage.name, status.size, *counts])
    return table(rows)


def _glass(dataset: Dataset) -> list[str]:
    lines = [", ".join([f"T {_range(dataset['temperature'][()])}", *_described(dataset.config)])]
    lines += _failures(dataset, "sample")
    labelled = np.flatnonzero(dataset["labelled"][()] == COMPLETE)
    if len(labelled):
        lines += _labels(dataset, labelled)
    return lines


def _flow(dataset: Dataset) -> list[str]:
    done = np.flatnonzero(dataset["computed"][()] == COMPLETE)
    lines = _failures(dataset, "case")
    if not len(done):
        return lines
    bodies = Counter(body.get("family") for case in done for body in _obstacles(dataset["description"][case]))
    drag = dataset["forces/drag"][done].mean(axis=1)
    lift = dataset["forces/lift"][done].std(axis=1)
    scalars = {name: dataset[f"scalars/{name}"][done] for name in ("reynolds_number", "length", "viscosity")}
    return [
        f"Re {_range(scalars['reynolds_number'])}, length {_range(scalars['length'])} sites, "
        f"tau {_range(3 * scalars['viscosity'] + 0.5)}",
        "bodies: " + (", ".join(f"{n} {family}" for family, n in sorted(bodies.items())) or "none"),
        *_measured(dataset, done),
        f"mean drag {_range(drag)}, fluctuation of lift {_range(lift)}",
        *lines,
    ]


def _measured(dataset: Dataset, done: NDArray[Any]) -> list[str]:
    """What came of the velocity that was drawn, where nothing in the domain has it."""
    if "scalars/measured_reynolds_number" not in dataset:
        return []
    about = [_about(dataset["description"][case]) for case in done]
    if not any(case.get("is_nominal") for case in about):
        return []
    reynolds, velocity = (dataset[f"scalars/measured_{name}"][done] for name in ("reynolds_number", "velocity"))
    return [f"Re is nominal, no inlet or wall sets it; measured: Re {_range(reynolds)}, velocity {_range(velocity)}"]


def _about(description: bytes) -> dict[str, Any]:
    try:
        about = json.loads(description)
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _obstacles(description: bytes) -> list[dict[str, Any]]:
    obstacles: list[dict[str, Any]] = _about(description).get("obstacles", [])
    return obstacles


def _failures(dataset: Dataset, unit: str) -> list[str]:
    reasons = [(i, text.decode(errors="replace")) for i, text in enumerate(dataset["failure"][()]) if text]
    lines = [f"{unit} {i} failed: {text}" for i, text in reasons[:_SHOWN_FAILURES]]
    if len(reasons) > _SHOWN_FAILURES:
        lines.append(f"and {len(reasons) - _SHOWN_FAILURES} more failed")
    return lines


def _labels(dataset: Dataset, samples: NDArray[Any]) -> list[str]:
    """Means over labelled samples of the figures of species 0."""
    first = [dataset["species"][sample] == 0 for sample in samples]
    propensity = np.mean(
        [dataset["propensity"][i][:, mask].mean(axis=1) for i, mask in zip(samples, first, strict=True)], axis=0
    )
    columns = {"time": dataset["time"][()], "propensity": propensity}
    for head, name in _HEADLINES.items():
        if name in dataset:
            values = dataset[name][samples]
            columns[head] = _mean_of(values[..., 0] if "species" in dataset.schema[name].dims else values)
    rows = [[f"{value:.4g}" for value in row] for row in zip(*columns.values(), strict=True)]
    return [f"means over {len(samples)} labelled sample(s), species 0:", *table([list(columns), *rows])]


def _mean_of(values: NDArray[Any]) -> NDArray[Any]:
    """Mean over samples, NaN where no sample has a value."""
    there = np.isfinite(values)
    total = np.where(there, values, 0.0).sum(axis=0)
    mean = np.full(total.shape, np.nan)
    np.divide(total, there.sum(axis=0), out=mean, where=there.any(axis=0))
    return mean


def _described(config: dict[str, Any]) -> list[str]:
    system = config.get("system", {})
    return [f"{key} {system[key]}" for key in ("potential", "density", "composition") if key in system]


def _range(values: NDArray[Any]) -> str:
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def table(rows: Sequence[Sequence[Any]]) -> list[str]:
    """Aligned columns, the first to the left and the others to the right."""
    texts = [[str(item) for item in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    sides = ["<", *">" * (len(widths) - 1)]
    return ["  ".join(map(format, row, map("{}{}".format, sides, widths))) for row in texts]
