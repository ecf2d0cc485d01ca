"""A FLOW file as data sets read it: frames, fluid, units and symmetry of its cases.

Units: lattice units of the simulated grid.
"""

from __future__ import annotations

import json
import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtrain.data import dataset_at
from dtrain.flow_metrics import period
from runkit.arrays import Bools, Floats
from runkit.dataset.the_well import FACES

MOST_MASKS = 2**28  # cells, an eighth as many bytes


class FlowFile:
    """The cases of a FLOW file; UserError if `file` is none."""

    def __init__(self, file: str) -> None:
        self.dataset = dataset_at(file, "FLOW")
        self.n_frames = self.dataset.sizes["time"]
        self._masks: dict[tuple[str, int], tuple[NDArray[np.uint8], tuple[int, ...]]] = {}

    @cached_property
    def cell(self) -> float:
        """Width of a stored cell in sites."""
        x = self.dataset["dimensions/x"][:2]
        return float(x[1] - x[0]) if len(x) > 1 else 1.0

    @cached_property
    def interval(self) -> float:
        """Steps between two frames."""
        times = self.dataset["dimensions/time"][:2]
        return float(times[1] - times[0]) if len(times) > 1 else 1.0

    def frames(self, case: int, start: int = 0, n_frames: int | None = None) -> Floats:
        """Density and velocity [3, time, x, y] of a case in lattice units."""
        return self._channels("t0_fields/density", "t1_fields/velocity", case, start, n_frames)

    def speed(self, case: int) -> float:
        """Reference velocity of a case: of its inlet in the mean, else of a sliding wall, else nominal."""
        return float(self.dataset["scalars/velocity"][case])

    def shedding_period(self, case: int) -> float:
        """Period of the lift on the bodies of a case in frames; NaN for a flow that does not oscillate."""
        times = self.dataset["forces/time"][:2].astype(np.float64)
        every = float(times[1] - times[0]) if len(times) > 1 else 0.0
        return period(self.dataset["forces/lift"][case]) * every / self.interval if every > 0 else float("nan")

    def fluid(self, case: int) -> Bools:
        """Whether there is fluid in a cell [x, y]."""
        return self._mask("t0_fields/fluid_fraction", case)

    def fluid_at_points(self, case: int) -> Bools:
        """Whether there is fluid at a point [point]."""
        return self._mask("points/fluid_fraction", case) if self.n_points else np.zeros(0, bool)

    def _mask(self, fraction: str, case: int) -> Bools:
        """Where a fraction is not 0; masks of up to MOST_MASKS cells are read once, as every clip of a case has one."""
        kept = self._masks.get((fraction, case))
        if kept is not None:
            return np.unpackbits(kept[0], count=math.prod(kept[1])).view(bool).reshape(kept[1])
        found: Bools = self.dataset[fraction][case] > 0
        if len(self._masks) * found.size < MOST_MASKS:
            self._masks[fraction, case] = np.packbits(found), found.shape
        return found

    @cached_property
    def n_points(self) -> int:
        """Room for points of a case near its bodies; 0 in a file without."""
        return int(self.dataset.sizes["point"]) if "points/width" in self.dataset else 0

    def at_points(self, case: int, start: int = 0, n_frames: int | None = None) -> Floats:
        """Density and velocity [3, time, point] of a case at its points; NaN beyond them."""
        return self._channels("points/density", "points/velocity", case, start, n_frames)

    def _channels(self, density: str, velocity: str, case: int, start: int, n_frames: int | None) -> Floats:
        """Two fields [3, time, …] of a case from one frame on, to the last one or so many."""
        which = case, slice(start, None if n_frames is None else start + n_frames)
        return np.concatenate([self.dataset[density][which][None], np.moveaxis(self.dataset[velocity][which], -1, 0)])

    def families(self, case: int) -> set[str]:
        """Families of the obstacles of a case."""
        about: dict[str, Any] = json.loads(self.dataset["description"][case].decode() or "{}")
        return {str(obstacle.get("family", "")) for obstacle in about.get("obstacles", [])}

    @cached_property
    def planes(self) -> list[list[bool]]:
        """Whether the low and the high face of x and of y are symmetry planes."""
        faces = self.dataset.config.get("boundaries", {})
        kinds = [[faces.get(f"{axis}_{face}", {}) for face in FACES] for axis in "xy"]
        return [[isinstance(face, dict) and face.get("kind") == "free-slip" for face in pair] for pair in kinds]

    def is_symmetric(self) -> bool:
        """Whether the reflection of a flow in y is one of the same kind: faces alike, none moves or pushes along y."""
        config = self.dataset.config
        low, high = (self.dataset.file[f"boundary_conditions/y_{face}"].attrs["bc_type"] for face in ("low", "high"))
        walls, force = config.get("boundaries", {}), config.get("flow", {}).get("force", ())
        moves = any(_across(face) for face in walls.values())
        return low == high and walls.get("y_low") == walls.get("y_high") and not moves and not any(force[1:2])


def _across(face: Any) -> bool:
    """Whether a face of the configuration has a velocity with a component along y, such as a wall that slides."""
    velocity = face.get("velocity", ()) if isinstance(face, dict) else ()
    return isinstance(velocity, (list, tuple)) and any(velocity[1:2])
