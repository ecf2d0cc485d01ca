"""Published flow problems, set up on blocks of sites: cylinder in a channel, lid-driven cavity, Taylor-Green vortices.

Source: M. Schäfer, S. Turek, Notes Numer. Fluid Mech. 52, 547 (1996), doi:10.1007/978-3-322-89849-4_39 (cylinder);
U. Ghia, K. N. Ghia, C. T. Shin, J. Comput. Phys. 48, 387 (1982), doi:10.1016/0021-9991(82)90058-4 (cavity);
G. I. Taylor, A. E. Green, Proc. R. Soc. A 158, 499 (1937), doi:10.1098/rspa.1937.0036 (vortices).
Units: lattice units.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lbmgen.api import faces_of, simulate
from lbmgen.block import Block, Fluid, statistics
from lbmgen.collisions import collision
from lbmgen.decomposition import Decomposition
from lbmgen.domain import Body, Domain, body_of
from lbmgen.forces import momentum_exchange
from lbmgen.lattices import lattice
from runkit.dataset.contracts.flow import LARGEST_SPEED
from runkit.mpi import SerialWorld


@dataclass(frozen=True)
class Cylinder:
    """The DFG benchmark: a channel 22 x 4.1 diameters, the cylinder at (2, 2), a parabolic inlet of mean `velocity`."""

    reynolds: float = 20.0
    diameter: int = 20
    velocity: float = 0.03
    walls: str = "interpolated"
    law: str = "trt"
    outlet: str | dict[str, Any] = "pressure"
    dtype: str = "float64"
    length: int = 22  # of the channel, in diameters

    @property
    def shape(self) -> tuple[int, int]:
        """Sites; a multiple of ten per diameter makes the channel exactly 4.1 diameters high."""
        return self.length * self.diameter, round(4.1 * self.diameter)

    @property
    def viscosity(self) -> float:
        return self.velocity * self.diameter / self.reynolds

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance to the cylinder."""
        return np.hypot(*np.moveaxis(points - 2.0 * self.diameter, -1, 0)) - self.diameter / 2

    @cached_property
    def block(self) -> Block:
        """The channel, filled with fluid at rest."""
        inlet = {"kind": "velocity", "velocity": self.velocity, "profile": "parabolic"}
        domain = Domain(self.shape, faces_of({"x_low": inlet, "x_high": self.outlet, "y": "no-slip"}, 2))
        fluid = Fluid(lattice("D2Q9"), collision.build(self.law), 3 * self.viscosity + 0.5, None, self.dtype)
        body = body_of(self.distance, (0, 0), self.shape, domain)
        body = body if self.walls == "interpolated" else Body(body.solid)
        block = Block(fluid, domain, Decomposition(self.shape, (1, 1)), SerialWorld(), body)
        block.start(np.ones(self.shape), np.zeros((*self.shape, 2)))
        return block

    def advance(self, n_steps: int, ramp: int = 0) -> np.ndarray:
        """Drag and lift coefficients [n_steps, 2]; over the first `ramp` steps the inlet comes up to speed."""
        rise = 0.5 - 0.5 * np.cos(np.pi * np.minimum(1, (np.arange(n_steps) + 1) / max(1, ramp)))
        force = momentum_exchange(self.block.advance(rise)).sum(axis=1)
        return 2 * force / (self.velocity**2 * self.diameter)

    def steady(self, tolerance: float = 1e-7, longest: int = 60) -> np.ndarray:
        """Drag and lift once they change by less than `tolerance` while the flow crosses a diameter."""
        crossing = round(self.diameter / self.velocity)
        before = self.advance(8 * crossing, 4 * crossing)[-1]
        for _ in range(longest):
            now = self.advance(2 * crossing)[-1]
            if np.abs(now - before).max() < 2 * tolerance * np.abs(now).max():
                return now
            before = now
        raise RuntimeError(f"drag still changes: {before} -> {now}")

    def pressure_drop(self) -> float:
        """Pressure before less pressure behind the cylinder, over rho velocity^2; cubics through five sites each."""
        rho = self.block.moments()[0]
        x = np.arange(self.shape[0]) + 0.5
        row = rho[:, 2 * self.diameter - 1 : 2 * self.diameter + 1].mean(axis=1)
        ends = []
        for place, side in ((1.5 * self.diameter, -1), (2.5 * self.diameter, 1)):
            near = ((x - place) * side > 0) & ((x - place) * side < 5)
            ends.append(np.polyval(np.polyfit(x[near] - place, row[near], 3), 0.0))
        return float(ends[0] - ends[1]) / 3 / self.velocity**2


def strouhal(lift: np.ndarray, velocity: float, diameter: float) -> float:
    """Frequency of a periodic signal, by rises through its mean, times diameter over velocity; NaN without two."""
    signal = lift - lift.mean()
    rises = np.flatnonzero((signal[:-1] < 0) & (signal[1:] >= 0))
    if len(rises) < 2:  # it has diverged, or does not oscillate
        return float("nan")
    moments = rises + signal[rises] / (signal[rises] - signal[rises + 1])
    return float((len(moments) - 1) / (moments[-1] - moments[0]) * diameter / velocity)


def taylor_green(n: int, velocity: float, drift: tuple[float, float] = (0.0, 0.0)) -> tuple[np.ndarray, np.ndarray]:
    """Density and velocity of four vortices in an `n` x `n` periodic box that drifts."""
    x, y = np.meshgrid(*[2 * np.pi / n * (np.arange(n) + 0.5)] * 2, indexing="ij")
    u = velocity * np.stack([-np.cos(x) * np.sin(y), np.sin(x) * np.cos(y)], axis=-1)
    pressure = -(velocity**2) / 4 * (np.cos(2 * x) + np.cos(2 * y))
    return 1 + 3 * pressure, u + np.array(drift)


def cavity(n: int, reynolds: float, velocity: float = 0.1, law: str = "trt", tolerance: float = 1e-6) -> np.ndarray:
    """Steady velocity [n, n, 2], over that of the lid, in a square cavity whose upper wall slides along x."""
    block = _cavity(n, 3 * velocity * n / reynolds + 0.5, velocity, law, "float64")
    before = np.full((n, n, 2), np.inf)
    turn = round(n / velocity)
    for _ in range(400):
        block.advance(np.ones(turn))
        now = block.moments()[1] / velocity
        if np.abs(now - before).max() < tolerance:
            return now
        before = now
    raise RuntimeError(f"the flow in the cavity still changes by {np.abs(now - before).max():.1e} in {turn} steps")


def fastest(n: int, tau: float, law: str, velocity: float = 0.098, turns: int = 80) -> float:
    """Largest speed of a site, seen after each turn of the lid; that of the first turn that is not sound, if one is."""
    block, largest = _cavity(n, tau, velocity, law, "float32"), 0.0
    for _ in range(turns):
        block.advance(np.ones(round(n / velocity)))
        speed = statistics([block], None)[0].fastest
        if not speed <= LARGEST_SPEED:
            return float(speed)
        largest = max(largest, speed)
    return float(largest)


def in_wake(law: str, outlet: Any, tau: float, velocity: float = 0.08, n_steps: int = 20000) -> float:
    """Largest speed at the end, with a cylinder of 12 sites between an inlet, mirrors and `outlet`, 95 sites behind it;
    no number where the flow has blown up."""
    shape = (120, 60)
    x, y = np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij")
    solid, u = np.hypot(x - 25, y - 30.4) < 6, np.zeros((*shape, 2))
    u[~solid, 0] = velocity
    faces = {"x_low": {"kind": "velocity", "velocity": velocity}, "x_high": outlet, "y": "free-slip"}
    with np.errstate(all="ignore"):
        flow = simulate(np.ones(shape), u, tau, n_steps, collision=law, boundaries=faces, solid=solid, dtype="float32")
    return float(np.linalg.norm(flow.u, axis=-1).max())


def _cavity(n: int, tau: float, velocity: float, law: str, dtype: str) -> Block:
    """A square of fluid at rest below a lid that slides."""
    faces = {"x": "no-slip", "y_low": "no-slip", "y_high": {"kind": "no-slip", "velocity": [velocity, 0.0]}}
    domain = Domain((n, n), faces_of(faces, 2))
    fluid = Fluid(lattice("D2Q9"), collision.build(law), tau, None, dtype)
    block = Block(fluid, domain, Decomposition((n, n), (1, 1)), SerialWorld(), Body(np.zeros((n + 2, n + 2), bool)))
    block.start(np.ones((n, n)), np.zeros((n, n, 2)))
    return block


# Smallest u along the vertical, largest and smallest v along the horizontal centre line, spectral.
# Source: O. Botella, R. Peyret, Comput. Fluids 27, 421 (1998), doi:10.1016/S0045-7930(98)00002-4.
CAVITY = {100: (-0.2140424, 0.1795728, -0.2538030), 1000: (-0.3885698, 0.3769447, -0.5270771)}


def extremes(u: np.ndarray) -> tuple[float, float, float]:
    """Smallest u along the vertical, largest and smallest v along the horizontal centre line; parabolas through them.

    The centre lines lie between sites: an even number of them is needed.
    """
    middle = len(u) // 2
    along_y, along_x = u[middle - 1 : middle + 1, :, 0].mean(axis=0), u[:, middle - 1 : middle + 1, 1].mean(axis=1)
    return -_peak(-along_y[:middle]), _peak(along_x), -_peak(-along_x)


def _peak(values: np.ndarray) -> float:
    """Largest value of the parabola through the largest of `values` and its neighbours."""
    left, top, right = values[np.argmax(values) + np.arange(-1, 2)]
    return float(top - (right - left) ** 2 / 8 / (left - 2 * top + right))


def leaving_sound(outlet, velocity: float, width: float) -> float:
    """The largest density that comes back from a pulse of `width` at an outlet, over the height of the pulse."""
    n, height, sound = 16 * round(width) + 120, 1e-3, 3**-0.5
    start, window = n - 5 * width, 7 * width
    pulse = height * np.exp(-(((np.arange(n) + 0.5 - start) / width) ** 2) / 2)[:, None] * np.ones((1, 4))
    u = np.stack([velocity + sound * pulse, 0 * pulse], axis=-1)
    n_steps = round(5 * width / (sound + velocity) + window / (sound - velocity))
    flow = simulate(1 + pulse, u, 0.55, n_steps, collision="trt", boundaries=_duct(outlet, velocity))
    return float(np.abs(flow.rho[n - 2 * window : n - width, 2] - 1).max() / height)


def leaving_vortex(outlet, velocity: float, radius: float = 8.0, speed: float = 0.04) -> float:
    """The error of the velocity when a vortex is half way through an outlet, over its largest velocity."""

    def half_way(length: int) -> np.ndarray:
        x, y = np.meshgrid(np.arange(length) + 0.5 - 110, np.arange(96) + 0.5 - 48, indexing="ij")
        square = (x**2 + y**2) / radius**2
        turn = speed / radius * np.exp(0.5 - square / 2)
        u = np.stack([velocity - turn * y, turn * x], axis=-1)
        rho = 1 - 1.5 * speed**2 * np.exp(1 - square)
        return simulate(rho, u, 0.51, round(48 / velocity), boundaries=_duct(outlet, velocity)).u[:160]

    return float(np.abs(half_way(160) - half_way(420)).max() / speed)


def _duct(outlet, velocity: float) -> dict:
    return {"x_low": {"kind": "velocity", "velocity": velocity}, "x_high": outlet, "y": "free-slip"}
