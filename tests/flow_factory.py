"""A tiny FLOW file for tests: vortices that a stream carries past a disc and that decay, from a formula.

The street of vortices moves at constant speed, so that the next frames follow from the last ones: a network can learn
them, and repeating the last frame is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from runkit.dataset.contracts.flow import FLOW, POINTS
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.dataset.writer import Writer
from runkit.mpi import SerialWorld

CELL = 2.0  # sites
STEPS = 100  # per frame
SPEED = 0.05  # sites per step
WELL = {"dataset_name": "tiny_flow", "grid_type": "cartesian", "n_spatial_dims": 2, "simulation_parameters": "[]"}

# Of a training in seconds, on the 6 cases that `write_flow` writes.
FLOW_RECIPE = """\
name = "run"
device = "cpu"
threads = 1
batch = 2
micro = 0
log_every = 1
[model]
name = "flow-cnn"
parameters = { widths = [4] }
[data]
name = "flow"
file = "flow.h5"
horizon = 3
split = { train = 4, validation = 1, test = 1 }
[phase.one]
epochs = 1
learning_rate = 1e-3
"""


def vortices(rng: np.random.Generator, shape: tuple[int, int], n_frames: int, n_points: int) -> dict[str, np.ndarray]:
    """All fields of one case, without the axis of cases; there are points if there is room for some."""
    nx, ny = shape
    grid = np.stack(np.meshgrid(np.arange(nx) + 0.5, np.arange(ny) + 0.5, indexing="ij"), axis=-1)
    radius, centre = rng.uniform(2, 3), np.array([nx / 4, ny / 2 + rng.uniform(-2, 2)])
    phase, wavelength = rng.uniform(0, 2 * np.pi), rng.uniform(10, 14)
    cells_per_frame, strength = SPEED * STEPS / CELL, rng.uniform(0.4, 0.6) * SPEED

    def at(places: np.ndarray, width: float = 1.0) -> tuple[np.ndarray, ...]:
        """Signed distance, fluid fraction, density and velocity at places [..., 2] of cells of some width, in cells."""
        x, y = places[..., 0], places[..., 1]
        distance = np.hypot(x - centre[0], y - centre[1]) - radius
        frames = np.arange(n_frames).reshape(-1, *(1 for _ in x.shape))
        wave = 2 * np.pi * (x - cells_per_frame * frames) / wavelength + phase
        sheet = np.exp(-(((y - centre[1]) / 6) ** 2) - 0.01 * frames) * strength
        behind = 1 / (1 + np.exp(centre[0] - x))
        solid = distance <= 0
        velocity = np.stack([SPEED - sheet * behind * np.cos(wave) * 0.5, sheet * behind * np.sin(wave)], axis=-1)
        density = np.where(solid, 1.0, 1.0 - 0.02 * sheet / SPEED * np.sin(wave) * behind)
        fraction = np.clip(distance / width + 0.5, 0, 1)
        return distance * CELL, fraction, density, np.where(solid[..., None], 0.0, velocity)

    names = ("t0_fields/signed_distance", "t0_fields/fluid_fraction", "t0_fields/density", "t1_fields/velocity")
    found = dict(zip(names, at(grid), strict=True))
    return found | (_points(at, grid[np.abs(found[names[0]]) < 1.5 * CELL], n_points) if n_points else {})


def _points(at: Callable[..., tuple[np.ndarray, ...]], cells: np.ndarray, n_points: int) -> dict[str, np.ndarray]:
    """The quarters of some cells [n, 2], and nothing after them."""
    quarters = (cells[:, None] + 0.25 * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])).reshape(-1, 2)
    distance, fraction, density, velocity = at(quarters, 0.5)
    values = CELL * quarters, np.full(len(quarters), 0.5 * CELL), distance, fraction, density, velocity
    axes = (0, 0, 0, 0, 1, 1)
    found = {}
    for name, value, axis in zip(POINTS, values, axes, strict=True):
        room = [(0, n_points - len(quarters) if k == axis else 0) for k in range(value.ndim)]
        found[name] = np.pad(value, room, constant_values=np.nan)
    return found


def write_flow(
    path: Path | str,
    n_cases: int = 6,
    n_frames: int = 12,
    shape: tuple[int, int] = (16, 16),
    seed: int = 0,
    failed: tuple[int, ...] = (),
    bc_type: tuple[str, str] = ("WALL", "WALL"),
    config: dict[str, object] | None = None,
    n_points: int = 0,
) -> Path:
    """Write the file and return its path; `bc_type` is that of the lower and of the upper face in y."""
    rng = np.random.default_rng(seed)
    sizes = {"case": n_cases, "time": n_frames, "x": shape[0], "y": shape[1], "force_time": 2, "body": 1}
    sizes, schema = (sizes | {"point": n_points}, FLOW) if n_points else (sizes, FLOW.without(*POINTS))
    about = {**WELL, "n_trajectories": n_cases, "config": config or {}, "seed": seed}
    types = {"x_low": "OPEN", "x_high": "OPEN", "y_low": bc_type[0], "y_high": bc_type[1]}
    groups = {f"boundary_conditions/{face}": {"bc_type": kind} for face, kind in types.items()}
    with Writer.open(SerialWorld(), path, schema, sizes, about, groups=groups) as writer:
        writer.write("dimensions/time", (), STEPS * np.arange(n_frames, dtype="f4") + 1000)
        writer.write("forces/time", (), np.zeros(2, "f4"))
        for axis, length in zip("xy", shape, strict=True):
            writer.write(f"dimensions/{axis}", (), CELL * (np.arange(length, dtype="f4") + 0.5))
            for face, place in (("low", 0), ("high", -1)):
                writer.write(f"boundary_conditions/{axis}_{face}/mask", (), np.arange(length) == place % length)
        for case in range(n_cases):
            _write_case(writer, case, vortices(rng, shape, n_frames, n_points), case in failed)
        writer.seal({"n_trajectories": min(failed, default=n_cases)})
    return Path(path)


def _write_case(writer: Writer, case: int, fields: dict[str, np.ndarray], is_failed: bool) -> None:
    reynolds = 50.0 + 10 * case
    about = {"obstacles": [{"family": "ellipse" if case % 3 == 2 else "circle"}], "reynolds_number": reynolds}
    writer.write("description", case, np.bytes_(json.dumps(about)))
    if is_failed:
        writer.write("failure", case, np.bytes_("diverged"))
        for field in ("t0_fields/density", "t1_fields/velocity"):
            writer.write(field, case, np.full_like(fields[field], np.nan, "f4"))
        writer.mark("computed", case, FAILED)
        return
    for name, value in fields.items():
        writer.write(name, case, value.astype("f4"))
    scalars = {"reynolds_number": reynolds, "length": 10.0, "velocity": SPEED, "viscosity": SPEED * 10 / reynolds}
    for name, number in scalars.items():
        writer.write(f"scalars/{name}", case, number)
    for name in ("forces/drag", "forces/lift"):
        writer.write(name, case, np.zeros(2))
    writer.mark("computed", case, COMPLETE)
