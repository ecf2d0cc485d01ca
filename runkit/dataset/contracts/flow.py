"""FLOW and FLOW_3D: flows past obstacles on a coarse grid, and the forces on them, laid out as the_well specifies.

lbmgen writes them. Units: lattice units of the simulated grid; site and step are its spacing and its time step.
"""
# ruff: noqa: E501  (a table is read by rows)

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from runkit.arrays import Array
from runkit.dataset.card import failures, span
from runkit.dataset.contract import Contract
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED, Field, Schema, contract
from runkit.dataset.the_well import frame_fields, grid_fields, groups_of, mask_fields, well_field

# What no sound flow shows: a larger speed, or a density farther from that of rest.
LARGEST_SPEED, LARGEST_DEVIATION = 0.3, 0.3


# fmt: off
def _flow(name: str, space: tuple[str, ...]) -> Schema:
    scalars = (
        well_field("scalars/reynolds_number", ("case",), "f8", "1", "velocity times length over viscosity, as drawn", "computed", 0.0),
        well_field("scalars/length", ("case",), "f8", "site", "reference length: extent of the largest obstacle across the flow, or of the domain", "computed", 0.0),
        well_field("scalars/velocity", ("case",), "f8", "site/step", "reference velocity: mean one of the inlet; that of a sliding wall if there is none; else nominal", "computed", 0.0),
        well_field("scalars/viscosity", ("case",), "f8", "site^2/step", "kinematic viscosity", "computed", 0.0),
        well_field("scalars/measured_velocity", ("case",), "f8", "site/step", "size of the velocity, averaged over fluid and stored frames", "computed", 0.0, optional=True),
        well_field("scalars/measured_reynolds_number", ("case",), "f8", "1", "measured velocity times length over viscosity", "computed", 0.0, optional=True),
    )
    forces = ("drag", "lift", "side")[: len(space)]
    return Schema(
        name=name,
        version=1,
        fields=(
            *grid_fields(space),
            *mask_fields(space),
            Field("computed", ("case",), "u1", "status", "the case has been simulated to its end"),
            Field("description", ("case",), "S2048", "text", "the case as drawn: obstacles, inlet and relaxation, in JSON"),
            *scalars,
            *frame_fields(space, "computed"),
            Field("forces/time", ("force_time",), "f4", "step", "middle of the steps that a force is averaged over", low=0.0),
            *(Field(f"forces/{force}", ("case", "force_time"), "f8", "1", f"{force} coefficient by momentum exchange: force, beyond that of a fluid at rest with density 1, over rho velocity^2 area / 2; the area is length, in three dimensions length times length, or times the span of a body that goes through along z", "computed") for force in forces),
            *(Field(f"forces/body_{force}", ("case", "body", "force_time"), "f8", "1", f"{force} coefficient of each body, in the order of the description, with the same velocity and area; NaN where there is none", "computed", may_be_nan=True, optional=True) for force in forces),
            Field("failure", ("case",), "S160", "text", "why a case failed"),
            *_points(str(len(space))),
        ),
        groups=groups_of(space, tuple(field.name.removeprefix("scalars/") for field in scalars)),
    )


def _at_points(name: str, dims: tuple[str, ...], unit: str, doc: str, low: float = -math.inf, high: float = math.inf) -> Field:
    return Field(f"points/{name}", dims, "f4", unit, doc, "computed", low, high, may_be_nan=True, optional=True)


def _points(vector: str) -> tuple[Field, ...]:
    """Cells near bodies that are finer than those of the grid; NaN beyond those that a case has."""
    each, frames = ("case", "point"), ("case", "time", "point")
    return (
        _at_points("position", (*each, vector), "site", "centre of a cell near a body, finer than those of the grid; the points of a case come first, NaN after them", 0.0),
        _at_points("width", each, "site", "width of the cell", 1.0),
        _at_points("signed_distance", each, "site", "distance from the centre of the cell to the nearest obstacle surface, negative inside"),
        _at_points("fluid_fraction", each, "1", "fluid sites of the cell over all its sites", 0.0, 1.0),
        _at_points("density", frames, "lattice", "density, mean over the fluid sites of the cell; 1 where there are none", 0.0),
        _at_points("velocity", (*frames, vector), "site/step", "velocity, mean over all sites of the cell, solid ones at rest", -1.0, 1.0),
    )


FLOW = _flow("FLOW", ("x", "y"))
FLOW_3D = _flow("FLOW_3D", ("x", "y", "z"))
POINTS = tuple(field.name for field in _points("2"))  # what a file without points leaves out
# fmt: on


@contract(FLOW.name)
class Flow(Contract):
    """Checks that axes ascend, solid cells rest, and that fluid is sound; two dimensions."""

    schema = FLOW

    def broken(self, dataset: Dataset) -> Iterator[str]:
        """The rules of axes, of what failed, and of each case."""
        for axis in ("time", *dataset.schema.groups["dimensions"]["spatial_dims"]):
            values = dataset[f"dimensions/{axis}"][()]
            if np.any(np.diff(values) <= 0):
                yield f"dimensions/{axis} does not ascend"
        status = dataset["computed"][()]
        served = int(dataset.attributes.get("n_trajectories", 0))
        if dataset.is_complete and np.any(status[:served] != COMPLETE):
            yield f"case {np.argmax(status[:served] != COMPLETE)} is no data, but one of n_trajectories = {served}"
        for case in np.flatnonzero(status == FAILED):
            if not np.isnan(dataset["t0_fields/density"][case]).all():
                yield f"case {case} has failed, but holds numbers; NaN is needed"
        for case in np.flatnonzero(status == COMPLETE):
            yield from (f"case {case}: {problem}" for problem in _case(dataset, int(case)))

    def card(self, dataset: Dataset) -> list[str]:
        """What was simulated, the forces on it, and what failed."""
        done = np.flatnonzero(dataset["computed"][()] == COMPLETE)
        lines = failures(dataset, "case")
        if not len(done):
            return lines
        bodies = Counter(body.get("family") for case in done for body in _obstacles(dataset["description"][case]))
        drag = dataset["forces/drag"][done].mean(axis=1)
        lift = dataset["forces/lift"][done].std(axis=1)
        scalars = {name: dataset[f"scalars/{name}"][done] for name in ("reynolds_number", "length", "viscosity")}
        return [
            f"Re {span(scalars['reynolds_number'])}, length {span(scalars['length'])} sites, "
            f"tau {span(3 * scalars['viscosity'] + 0.5)}",
            "bodies: " + (", ".join(f"{n} {family}" for family, n in sorted(bodies.items())) or "none"),
            *_measured(dataset, done),
            *_points_in_words(dataset, done),
            f"mean drag {span(drag)}, fluctuation of lift {span(lift)}",
            *lines,
        ]


@contract(FLOW_3D.name)
class Flow3D(Flow):
    """The same in three dimensions."""

    schema = FLOW_3D


def _case(dataset: Dataset, case: int) -> Iterator[str]:
    solid = dataset["t0_fields/fluid_fraction"][case] == 0
    if np.any(dataset["t0_fields/signed_distance"][case][solid] > 0):
        yield "signed_distance is positive in cells without fluid"
    density, velocity = dataset["t0_fields/density"][case], dataset["t1_fields/velocity"][case]
    if np.any(density[:, solid] != 1) or np.any(velocity[:, solid]):
        yield "cells without fluid are not at rest with density 1"
    speed, deviation = (float(np.max(values)) for values in (np.linalg.norm(velocity, axis=-1), np.abs(density - 1)))
    if speed > LARGEST_SPEED:
        yield f"the largest velocity is {speed:.3g}; allowed: up to {LARGEST_SPEED}"
    if deviation > LARGEST_DEVIATION:
        yield f"density departs from 1 by {deviation:.3g}; allowed: up to {LARGEST_DEVIATION}"
    try:
        json.loads(dataset["description"][case])
    except ValueError:
        yield "description is not JSON"
    if "points/position" in dataset:
        yield from _case_points(dataset, case)


def _case_points(dataset: Dataset, case: int) -> Iterator[str]:
    """What is wrong with the points of a case."""
    values = {name: dataset[name][case] for name in POINTS}
    n_points = int(np.isfinite(values["points/width"]).sum())
    for name, found in values.items():
        axis = dataset.schema[name].dims.index("point") - 1
        is_nan = np.isnan(np.moveaxis(found, axis, 0).reshape(found.shape[axis], -1))
        if is_nan[:n_points].any() or not is_nan[n_points:].all():
            yield f"{name}: the case has {n_points} points, which come first, with NaN after them alone"
            return
    solid = np.flatnonzero(values["points/fluid_fraction"] == 0)
    if np.any(values["points/signed_distance"][solid] > 0):
        yield "points/signed_distance is positive at points without fluid"
    if np.any(values["points/density"][:, solid] != 1) or np.any(values["points/velocity"][:, solid]):
        yield "points without fluid are not at rest with density 1"
    for along, position in zip("xyz", values["points/position"][:n_points].T, strict=False):
        centres = dataset[f"dimensions/{along}"][()]
        if np.any(position > centres[-1] + centres[0]):
            yield f"points/position: a point lies beyond the domain along {along}"


def _points_in_words(dataset: Dataset, done: Array) -> list[str]:
    """How many points cases have, and how wide their cells are."""
    if "points/width" not in dataset:
        return []
    width = dataset["points/width"][done]
    there = width[np.isfinite(width)]
    widths = f", in cells of {span(there)} sites" if len(there) else ""
    return [f"points near bodies: {span(np.isfinite(width).sum(axis=1))} in a case{widths}"]


def _measured(dataset: Dataset, done: Array) -> list[str]:
    """What came of the velocity that was drawn, where nothing in the domain has it."""
    if "scalars/measured_reynolds_number" not in dataset:
        return []
    about = [_about(dataset["description"][case]) for case in done]
    if not any(case.get("is_nominal") for case in about):
        return []
    reynolds, velocity = (dataset[f"scalars/measured_{name}"][done] for name in ("reynolds_number", "velocity"))
    return [f"Re is nominal, no inlet or wall sets it; measured: Re {span(reynolds)}, velocity {span(velocity)}"]


def _about(description: bytes) -> dict[str, Any]:
    try:
        about = json.loads(description)
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _obstacles(description: bytes) -> list[dict[str, Any]]:
    obstacles: list[dict[str, Any]] = _about(description).get("obstacles", [])
    return obstacles
