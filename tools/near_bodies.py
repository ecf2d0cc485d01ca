"""Networks of flow near bodies: their errors on the grid and at the points of a file, beside each other.

    python -m tools.near_bodies RUN… --frames 12 --picture near.png

All runs must have learnt from the same file with the same split; its test cases are rolled out. Errors are root mean
squares over cells, cases and both components of velocity, in percent of the reference velocity: on the grid within two
reference lengths of a surface and elsewhere, and at the points, weighted by their area. A network of the grid has
no points: its cells are interpolated linearly. So are those of the simulation itself, which shows what is lost
by the grid alone.
Units: lattice units; errors in percent of the reference velocity.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from dtrain.data import data as data_sets
from dtrain.data.clips import rollout
from dtrain.data.flow import Flow
from dtrain.data.flow_cloud import FlowCloud, FlowCloudOptions
from dtrain.weights import Trained, load_model
from runkit.arrays import F64, Floats
from runkit.cli import OptionParser
from runkit.errors import UserError, in_one_line
from tools.drawing.flow_near import draw, require_drawable

WITHIN = 2.0  # reference lengths from a surface
REGIONS = ("near", "elsewhere", "points")
DRAWN = 3  # frame of the picture
SIMULATION = "cells of the simulation"


class Answer(NamedTuple):
    """What a network says of a case: velocities [2, time, x, y] on the grid and [2, time, point] at points."""

    grid: Floats
    points: Floats
    seconds: float


class Truth:
    """A case of a file with points, and the errors of answers for the frames from `start` on."""

    def __init__(self, data: FlowCloud, case: int, start: int, n_frames: int) -> None:
        self.data, self.case = data, case
        self.grid = data.frames(case, start, n_frames)[1:]
        self.there = data.levels(case)[0].fluid
        self.points = data.at_points(case, start, n_frames)[1:, :, self.there]
        values = {name: data.dataset[f"points/{name}"][case][self.there] for name in ("position", "width")}
        self.position, self.area = values["position"].astype(np.float64), np.square(values["width"], dtype=np.float64)
        scalars = (float(data.dataset[f"scalars/{name}"][case]) for name in ("length", "velocity"))
        self.length, self.velocity = scalars
        distance, fluid = data.dataset["t0_fields/signed_distance"][case], data.fluid(case)
        self.regions = {"near": fluid & (distance <= WITHIN * self.length)}
        self.regions["elsewhere"] = fluid & ~self.regions["near"]

    def interpolated(self, grid: Floats) -> F64:
        """Values [2, time, x, y] of cells at the points [2, time, point], linearly."""
        where = self.position.T / self.data.cell - 0.5
        flat = grid.reshape(-1, *grid.shape[2:]).astype(np.float64)
        found = np.stack([map_coordinates(one, where, order=1, mode="nearest") for one in flat])
        return found.reshape(*grid.shape[:2], -1)

    def squares(self, grid: Floats, points: Floats) -> dict[str, tuple[F64, float]]:
        """Region -> (sum [time], weight) of squared errors in percent of the velocity."""
        scale = (100 / self.velocity) ** 2
        on_grid = scale * np.square(grid - self.grid, dtype=np.float64).mean(axis=0)
        found = {name: (on_grid[:, mask].sum(axis=1), float(mask.sum())) for name, mask in self.regions.items()}
        at_points = scale * np.square(points - self.points, dtype=np.float64).mean(axis=0)
        found["points"] = at_points @ self.area, float(self.area.sum())
        return found

    def in_percent(
        self, answers: Mapping[str, Floats], frame: int
    ) -> tuple[tuple[F64, F64], Floats, dict[str, Floats]]:
        """Places and widths of points in cells, and velocities [2, point] of a frame, counted from 1."""
        scale = 100 / self.velocity
        places = self.position / self.data.cell, np.sqrt(self.area) / self.data.cell
        return (
            places,
            scale * self.points[:, frame - 1],
            {name: scale * found[:, frame - 1] for name, found in answers.items()},
        )


@torch.inference_mode()
def answer(trained: Trained, data: Flow, truth: Truth, n_frames: int) -> Answer:
    """A rollout of a case from its first frames; points by interpolation where the network has none."""
    clip = data.stack([data.clip(truth.case, 0, 0)])
    began = time.process_time()
    found = rollout(trained.network, clip, n_frames)[0].numpy()
    seconds = time.process_time() - began
    grid = data.denormalised(found, data.fluid(truth.case))[1:]
    if isinstance(data, FlowCloud):
        return Answer(grid, data.denormalised_points(truth.case, found)[1:, :, truth.there], seconds)
    return Answer(grid, truth.interpolated(grid), seconds)


def compare(runs: Sequence[str], n_frames: int, picture: str) -> list[str]:
    """Lines of the table; raises UserError for runs that cannot be compared."""
    if picture:
        require_drawable(Path(picture))
    networks = {str(run): load_model(run) for run in runs}
    opened = {run: _opened(trained) for run, trained in networks.items()}
    first = next(iter(opened.values()))
    cases = first.cases["test"]
    if any((data.options.file, data.cases["test"]) != (first.options.file, cases) for data in opened.values()):
        raise UserError("runs: they have learnt from other files, or hold other cases back; compare runs of one split")
    cloud = FlowCloud(FlowCloudOptions(file=first.options.file, split=first.options.split), first.seed)
    most = cloud.n_frames - first.options.frames
    if not 0 < n_frames <= most:
        raise UserError(f"frames = {n_frames}: {most} frames follow those that are given; allowed: 1 to {most}")
    if not cloud.n_points:
        raise UserError(f"{first.options.file} has no points near bodies; make it with frames.points")
    sums: dict[str, dict[str, F64]] = {}
    weights: dict[str, float] = dict.fromkeys(REGIONS, 0.0)
    seconds = dict.fromkeys(runs, 0.0)
    for case in cases:
        truth = Truth(cloud, case, first.options.frames, n_frames)
        answers = {run: answer(networks[run], data, truth, n_frames) for run, data in opened.items()}
        held = {run: (found.grid, found.points) for run, found in answers.items()}
        held[SIMULATION] = truth.grid, truth.interpolated(truth.grid)
        for name, fields in held.items():
            for region, (total, weight) in truth.squares(*fields).items():
                of_name = sums.setdefault(name, {})
                of_name[region] = of_name.get(region, np.zeros(n_frames)) + total
                weights[region] += weight * (name == SIMULATION)
        for run, found in answers.items():
            seconds[run] += found.seconds
        if picture and case == cases[0]:
            at_points = {Path(name).name: fields[1] for name, fields in held.items()}
            frame = min(DRAWN, n_frames)
            draw(Path(picture), *truth.in_percent(at_points, frame), _caption(cloud, case, frame))
    errors = {name: {r: np.sqrt(of[r] / weights[r]) for r in REGIONS} for name, of in sums.items()}
    return _table(errors, {run: 1000 * total / (n_frames * len(cases)) for run, total in seconds.items()}, n_frames)


def _caption(cloud: FlowCloud, case: int, frame: int) -> str:
    return (
        f"Velocity at the points near the bodies of test case {case} of {cloud.options.file}, frame {frame} of a"
        f" rollout: its size in the simulation, and errors of networks, trained on {len(cloud.cases['train'])} cases;"
        f" {SIMULATION}: what its own values on the grid lose there by linear interpolation. Grey: body, or no points."
    )


def _opened(trained: Trained) -> Flow:
    """The data that a network has learnt from; UserError if they are not of flow."""
    kind = data_sets.get(trained.recipe.data.name)
    if not issubclass(kind, Flow):
        raise UserError(f"{trained.path} has learnt {trained.recipe.data.name} data; a model of flow is needed")
    return kind(trained.options_as(kind.Options), trained.recipe.seed, trained.normalisation)


def _table(errors: dict[str, dict[str, F64]], milliseconds: dict[str, float], n_frames: int) -> list[str]:
    shown = sorted({1, n_frames} | {frame for frame in (3, 6, 10) if frame < n_frames})
    width = max(map(len, errors)) + 2
    lines = [f"{'':{width}}{'frame':>7}" + "".join(f"{region:>11}" for region in REGIONS) + "   ms per frame"]
    for name, of in errors.items():
        for frame in shown:
            row = "".join(f"{of[region][frame - 1]:>11.2f}" for region in REGIONS)
            cost = f"{milliseconds[name]:>15.2f}" if name in milliseconds and frame == shown[0] else ""
            lines.append(f"{name if frame == shown[0] else '':{width}}{frame:>7}{row}{cost}")
    return lines


@in_one_line()
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = OptionParser("python -m tools.near_bodies", description="Compare networks of flow near bodies.")
    parser.add_argument("run", nargs="+", help="folders of runs, of one file and one split")
    parser.add_argument("--frames", type=int, default=12, help="frames that are rolled out (12)")
    parser.add_argument(
        "--picture", default="", help="file for a picture of the first test case, frame 3 (png, pdf or svg)"
    )
    options: argparse.Namespace = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print("\n".join(compare(options.run, options.frames, options.picture)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
