"""Maps of flow: speed and vorticity around obstacles, with the obstacle drawn from the signed distance.

A flow in three dimensions is cut by a plane: what is drawn are its values there, and the vorticity about the plane's
normal.

Units: speed over the reference velocity U, vorticity times the reference length D over U.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage

from dtrain.flow_metrics import vorticity
from runkit.dataset.reader import Dataset
from tools.drawing.runs import Run

# Quantity -> label, colours, and colours of its error; all are distinct with any kind of colour vision.
QUANTITIES = {
    "speed": (r"speed $|u|/U$", "viridis", "PuOr_r"),
    "vorticity": (r"vorticity $\omega D/U$", "RdBu_r", "PuOr_r"),
}
BODY = "#8a8a8a"
UNITS = "U is the reference velocity, D the reference length."


@dataclass(frozen=True)
class Case:
    """A case of a FLOW file, or its cut normal to an axis: where obstacles are, reference length and velocity."""

    data: Dataset
    number: int
    normal: str = "z"  # of the cut; without meaning in two dimensions

    @cached_property
    def space(self) -> tuple[str, ...]:
        """Names of the axes of the file."""
        return tuple(self.data.schema.groups["dimensions"]["spatial_dims"])

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Names of the two axes of the map: across, and up."""
        return self.space if len(self.space) == 2 else tuple(axis for axis in self.space if axis != self.normal)

    @cached_property
    def place(self) -> tuple[slice | int, ...]:
        """Where the map lies: all of a plane, or the layer of cells with the largest part of bodies, or the middle."""
        if len(self.space) == 2:
            return slice(None), slice(None)
        across = self.space.index(self.normal)
        fluid = self.data["t0_fields/fluid_fraction"][self.number]
        solid = np.moveaxis(1.0 - fluid, across, 0).sum(axis=(1, 2))
        fullest = np.flatnonzero(solid == solid.max())
        layer = int(fullest[len(fullest) // 2])
        return tuple(layer if axis == self.normal else slice(None) for axis in self.space)

    @cached_property
    def depth(self) -> float:
        """Where a cut lies along its normal, in reference lengths."""
        across = self.space.index(self.normal)
        return float(self.data[f"dimensions/{self.normal}"][self.place[across]] / self.scalar("length"))

    @cached_property
    def distance(self) -> np.ndarray:
        """Signed distance [x, y] in sites."""
        return self.data["t0_fields/signed_distance"][self.number, *self.place]

    @cached_property
    def fluid(self) -> np.ndarray:
        """Cells with fluid [x, y]."""
        return self.data["t0_fields/fluid_fraction"][self.number, *self.place] > 0

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Centres of the cells along both axes in reference lengths."""
        across, up = (self.data[f"dimensions/{axis}"][:] / self.scalar("length") for axis in self.axes)
        return across, up

    def scalar(self, name: str) -> float:
        """Reynolds number, length, velocity or viscosity."""
        return float(self.data[f"scalars/{name}"][self.number])

    def velocity(self, frames: slice) -> np.ndarray:
        """Simulated velocity [time, x, y, component]."""
        return self.data["t1_fields/velocity"][self.number, frames, *self.place]

    def quantities(self, velocity: np.ndarray) -> dict[str, np.ndarray]:
        """Speed and vorticity [time, x, y] of a velocity [time, x, y, component]."""
        components = np.moveaxis(velocity, -1, 0) / self.scalar("velocity")
        in_plane = components[[self.space.index(axis) for axis in self.axes]]
        about_y = self.axes == ("x", "z")  # x, z and y are left-handed
        curl = vorticity(in_plane, self.fluid) / (self.grid[0][1] - self.grid[0][0])
        return {"speed": np.linalg.norm(components, axis=0), "vorticity": -curl if about_y else curl}

    def draw(self, axis: Axes, values: np.ndarray, norm: Normalize, colours: str) -> AxesImage:
        """A map of values [x, y]."""
        (left, right), (low, high) = (1.5 * line[[0, -1]] - 0.5 * line[[1, -2]] for line in self.grid)
        extent = left, right, low, high
        image = axis.imshow(values.T, origin="lower", extent=extent, norm=norm, cmap=colours, interpolation="bilinear")
        if self.distance.min() < 0:
            axis.contourf(*self.grid, self.distance.T, levels=[-1e30, 0.0], colors=[BODY])
            axis.contour(*self.grid, self.distance.T, levels=[0.0], colors="k", linewidths=0.6)
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(True)
        return image


def scales(values: dict[str, np.ndarray], fluid: np.ndarray) -> dict[str, Normalize]:
    """The range of colours of each quantity that suits the simulated values."""
    speed = float(np.percentile(values["speed"][..., fluid], 99.8))
    vortex = float(np.percentile(np.abs(values["vorticity"][..., fluid]), 99)) or 1.0
    return {"speed": Normalize(0.0, speed), "vorticity": Normalize(-vortex, vortex)}


def told_scales(norms: dict[str, Normalize]) -> str:
    """The ranges of colours, for a caption."""
    speed, vortex = norms["speed"], norms["vorticity"]
    return (
        f"Speed: from 0 to {speed.vmax:.3g} U, the 99.8th percentile of what was simulated; vorticity: from"
        f" {vortex.vmin:.3g} to {vortex.vmax:.3g} U/D, the 99th percentile of its size."
    )


def error_scale(error: np.ndarray, norm: Normalize) -> Normalize:
    """A symmetric range for errors: half that of the quantity."""
    largest = 0.5 * max(abs(end) for end in (norm.vmin, norm.vmax) if end is not None)
    return Normalize(-largest, largest)


def predicted(run: Run, case: int) -> np.ndarray:
    """The frames [time, x, y, 2] that a network predicted for a case."""
    with Dataset(run.path / "evaluation.h5") as file:
        place = int(np.flatnonzero(file["case"][:] == case)[0])
        return file["t1_fields/velocity"][place, int(file["n_given"][place]) :]
