"""Predictions of a network and of its rivals for the frames that follow the first ones of a case; and files of them.

Units: lattice units of the simulated grid.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dtrain.data.clips import rollout
from dtrain.data.flow import AT_REST, STATISTICS, Flow
from dtrain.weights import Trained
from runkit.arrays import F32, F64, Floats
from runkit.dataset.contracts.flow_prediction import FLOW_PREDICTION
from runkit.dataset.schema import COMPLETE
from runkit.dataset.the_well import FACES
from runkit.dataset.writer import Writer
from runkit.mpi import World

Rollout = tuple[int, Floats]  # case, predicted frames [3, time, x, y]
SIDE_BY_SIDE = {"cpu": 4, "cuda": 16}  # cases that are predicted together, at most
MOST_BYTES = 2**28  # of the frames of such cases
_COPIED = ("dataset_name", "grid_type", "n_spatial_dims", "simulation_parameters")


class CasePredictor:
    """A network that continues cases; `seconds` is the time it has taken for `n_frames` frames."""

    def __init__(self, trained: Trained, data: Flow) -> None:
        self.network, self.data = trained.network, data
        self.device = trained.device
        self.seconds, self.n_frames = 0.0, 0

    def __call__(self, case: int, start: int, n_frames: int) -> F32:
        """The frames [3, n_frames, x, y] that follow those given from `start` on."""
        return self.together([case], start, n_frames)[0]

    def make_ready(self, case: int, start: int) -> None:
        """A call that is not timed: the first one reserves memory, and may compile the network."""
        self(case, start, self.data.options.frames)
        self.seconds, self.n_frames = 0.0, 0

    @torch.inference_mode()
    def together(self, cases: Sequence[int], start: int, n_frames: int) -> list[F32]:
        """The same of several cases in one batch."""
        clips = self.data.stack([self.data.clip(case, start, 0) for case in cases]).to(self.device)
        began = time.perf_counter()
        found = rollout(self.network, clips, n_frames).cpu().numpy()
        self.seconds += time.perf_counter() - began
        self.n_frames += len(cases) * n_frames
        return [self.data.denormalised(one, self.data.fluid(case)) for case, one in zip(cases, found, strict=True)]


def side_by_side(data: Flow, cases: Sequence[int], n_frames: int, device: torch.device) -> list[list[int]]:
    """Cases in groups that are predicted together: the same groups for any number of processes.

    What a network says of a case may depend in its last digits on those beside it. On a CPU groups are small, so that
    all processes have work: four small pictures at once take half the time of one after another, more gain little.
    """
    n_bytes = 12 * data.dataset.sizes["x"] * data.dataset.sizes["y"] * n_frames
    n = max(1, min(SIDE_BY_SIDE[device.type], MOST_BYTES // n_bytes))
    return [list(cases[i : i + n]) for i in range(0, len(cases), n)]


def persistence(data: Flow, case: int, start: int, n_frames: int) -> Floats:
    """The last given frame again and again."""
    return np.repeat(data.frames(case, start + data.options.frames - 1, 1), n_frames, axis=1)


def mean_field(world: World, data: Flow) -> F64:
    """The mean [3, x, y] over time and training cases, of each cell where it is fluid; collective."""
    cases = data.cases["train"][:: -(-len(data.cases["train"]) // STATISTICS)]
    total, count = np.zeros((3, *data.fluid(cases[0]).shape)), np.zeros(data.fluid(cases[0]).shape)
    for i in world.share(len(cases)):
        fluid = data.fluid(cases[i])
        total += data.frames(cases[i]).mean(axis=1, dtype=np.float64) * fluid
        count += fluid
    total, count = world.sum(total), world.sum(count)
    return np.where(count > 0, total / np.maximum(count, 1), AT_REST[:, None, None])


def write_rollouts(
    world: World,
    path: Path,
    data: Flow,
    which: tuple[Sequence[int], int, int],
    rollouts: Iterable[Rollout],
    about: Mapping[str, Any],
) -> None:
    """Write the FLOW_PREDICTION file of cases, a first given frame and a number of predicted ones; collective.

    An old file is replaced. `rollouts` are this rank's; together those of all ranks are the cases, each once.
    """
    (cases, start, n_frames), n_given = which, data.options.frames
    nx, ny = data.dataset.sizes["x"], data.dataset.sizes["y"]
    sizes = {"case": len(cases), "time": n_given + n_frames, "x": nx, "y": ny}
    attributes = {name: data.dataset.attributes[name] for name in _COPIED if name in data.dataset.attributes}
    attributes |= {**about, "n_trajectories": len(cases)}
    options: dict[str, Any] = {"groups": _boundaries(data), "replace": True, "reads": [data.dataset.path]}
    with Writer.open(world, path, FLOW_PREDICTION, sizes, attributes, **options) as file:
        if world.is_root:
            _write_grid(file, data, cases, start, sizes["time"])
        file.sync()  # the checksums of units cover what root has written
        for case, predicted in rollouts:
            place = cases.index(case)
            frames = np.concatenate([data.frames(case, start, n_given), predicted], axis=1)
            for name in ("t0_fields/signed_distance", "t0_fields/fluid_fraction"):
                file.write(name, place, data.dataset[name][case])
            file.write("t0_fields/density", place, frames[0])
            file.write("t1_fields/velocity", place, np.moveaxis(frames[1:], 0, -1))
            file.mark("predicted", place, COMPLETE)
        file.seal()


def _boundaries(data: Flow) -> dict[str, dict[str, Any]]:
    groups = (f"boundary_conditions/{axis}_{face}" for axis in "xy" for face in FACES)
    return {group: {"bc_type": data.dataset.file[group].attrs["bc_type"]} for group in groups}


def _write_grid(file: Writer, data: Flow, cases: Sequence[int], start: int, n_frames: int) -> None:
    """Frames go on beyond the end of the simulation's file at its pace."""
    times = data.dataset["dimensions/time"][:]
    file.write("dimensions/time", (), (times[start] + data.interval * np.arange(n_frames)).astype(np.float32))
    for name in _same_names():
        file.write(name, (), data.dataset[name][:])
    file.write("case", (), np.array(cases, dtype=np.int32))
    file.write("n_given", (), np.full(len(cases), data.options.frames, dtype=np.int32))


def _same_names() -> Iterator[str]:
    for axis in "xy":
        yield f"dimensions/{axis}"
        yield from (f"boundary_conditions/{axis}_{face}/mask" for face in FACES)
