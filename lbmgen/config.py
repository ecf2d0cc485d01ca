"""Configuration of a generation run: every key that a user may set, its default, unit and allowed range.

A cell is what is stored, `grid.refinement` sites wide; lengths of the configuration count cells. Velocities are lattice
velocities (sites per step). The defaults are a small set of vortex streets that a laptop makes in about a minute.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from runkit.config import Config, GraceSeconds, Minutes
from runkit.device import Device
from runkit.imports import GRACE_SECONDS

MOST_CELLS, MOST_BODIES = 1 << 16, 1000


def _ascending(ends: tuple[float, ...]) -> tuple[float, ...]:
    if len(ends) > 2 or ends[0] > ends[-1]:
        raise ValueError(f"{list(ends)} is not allowed; allowed: one value, or a range [low, high]")
    return ends


def _positive(ends: tuple[float, ...]) -> tuple[float, ...]:
    if min(ends) <= 0:
        raise ValueError(f"{list(ends)} is not allowed; allowed: above 0")
    return ends


def _whole(ends: tuple[float, ...]) -> tuple[float, ...]:
    if any(end != int(end) or not 0 <= end <= MOST_BODIES for end in ends):
        raise ValueError(f"{list(ends)} is not allowed; allowed: whole numbers from 0 to {MOST_BODIES}")
    return ends


def _wide_enough(cells: tuple[int, ...]) -> tuple[int, ...]:
    if not all(4 <= n <= MOST_CELLS for n in cells):
        raise ValueError(f"{list(cells)} is not allowed; allowed: 4 to {MOST_CELLS} along each axis")
    return cells


Cells = Annotated[tuple[int, ...], AfterValidator(_wide_enough)]
Range = Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_ascending)]
Positive = Annotated[Range, AfterValidator(_positive)]
Count = Annotated[Range, AfterValidator(_whole)]
Table = dict[str, Any]


class Grid(Config):
    """The grid that is stored and the finer one that is simulated."""

    lattice: Literal["D2Q9", "D3Q19", "D3Q27"] = Field("D2Q9", description="lattice; it sets the number of dimensions")
    cells: Cells = Field((64, 64), min_length=2, max_length=3, description="stored cells along x, y(, z)")
    refinement: int = Field(2, ge=1, le=64, description="sites of the simulated grid per cell, along each axis")


class Flow(Config):
    """What flows."""

    reynolds: Positive = Field((100.0, 200.0), description="Reynolds number, or a range drawn from log-uniformly")
    velocity: Positive = Field(
        (0.08,),
        description="reference velocity: mean one of the inlet, that of a sliding wall if there is none, else nominal; "
        "or a range drawn from [site/step]",
    )
    force: tuple[float, ...] = Field((), description="uniform force density along x, y(, z); none: no force")
    disturbance: float = Field(
        0.1, ge=0, le=0.5, description="transverse velocity of the initial state over that of the inlet"
    )
    pulsation: float = Field(
        0.0, ge=0, le=1, description="amplitude of a harmonic oscillation of inlets and walls over their velocity"
    )
    period: float = Field(1000.0, ge=10, le=1e9, description="its period [step]")


class Collision(Config):
    """How populations relax."""

    name: str = Field("bgk", description="name of a registered collision law")
    parameters: Table = Field({}, description="its parameters, as its law names them")
    precision: Literal["float32", "float64"] = Field("float32", description="type of the populations")


class Boundaries(Config):
    """The faces of the domain: each a table with its kind and the parameters of that kind."""

    x_low: Table = Field({"kind": "velocity"}, description="inlet; a velocity inlet takes flow.velocity")
    x_high: Table = Field({"kind": "convective"}, description="outlet; one with a speed takes flow.velocity")
    y_low: Table = Field({"kind": "free-slip"}, description="lower face")
    y_high: Table = Field({"kind": "free-slip"}, description="upper face")
    z_low: Table = Field({"kind": "periodic"}, description="near face in three dimensions")
    z_high: Table = Field({"kind": "periodic"}, description="far face in three dimensions")


class Obstacles(Config):
    """What stands in the way: random bodies, or given ones."""

    families: tuple[Table, ...] = Field(
        ({"family": "circle"}, {"family": "ellipse", "aspect": [1.5, 2.0]}, {"family": "blob", "seed": [0, 9999]}),
        min_length=1,
        description="families to draw from, with parameters or ranges of them",
    )
    count: Count = Field((1,), description="bodies of a case, or a range")
    diameter: Positive = Field((7.0, 9.0), description="reference diameter, or a range drawn from log-uniformly [cell]")
    upstream: float = Field(2.0, ge=0, le=1e6, description="least distance of a centre from the inlet [diameter]")
    downstream: float = Field(4.0, ge=0, le=1e6, description="least distance of a centre from the outlet [diameter]")
    gap: float = Field(4.0, ge=4, le=1e6, description="least distance between bodies [site]")
    clearance: float = Field(4.0, ge=2, le=1e6, description="least distance of bodies from faces [site]")
    blockage: float = Field(0.3, gt=0, le=0.5, description="largest part of the cross-section in the shadow of bodies")
    thickness: float = Field(4.0, ge=4, le=1e6, description="least thickness of a body [site]")
    walls: Literal["interpolated", "half-way"] = Field("interpolated", description="where links meet bodies")
    given: tuple[Table, ...] = Field(
        (),
        description="bodies of every case: family, center and size [cell], angle [rad], and the family's parameters; "
        "none: random ones",
    )


class Frames(Config):
    """What is stored, and when."""

    count: int = Field(40, ge=1, le=10**7, description="stored frames of a case")
    every: int = Field(100, ge=1, le=10**7, description="steps between frames")
    warm_up: float = Field(
        4.0, ge=0, le=1e6, description="time before the first frame, in times the inlet takes to cross"
    )
    ramp: float = Field(0.5, ge=0, le=1e6, description="time in which the inlet comes up to speed, likewise")
    force_every: int = Field(10, ge=1, description="steps over which a force record is averaged; divides every")
    points: int = Field(
        0,
        ge=0,
        le=10**7,
        description="room for points of a case near its bodies, in cells finer than those of the grid; 0: none",
    )


class RunConfig(Config):
    """One run of lbmgen: a set of cases, one file."""

    output: str = Field("data/flow.h5", min_length=1, description="file to write")
    seed: int = Field(1, ge=0, lt=2**63, description="seed of all random numbers")
    n_cases: int = Field(640, ge=1, le=10**7, description="cases to simulate")
    ranks_per_case: int = Field(1, ge=1, description="ranks that share the domain of a case")
    device: Device = Field("auto", description="cpu, gpu, or auto: a GPU where there is one")
    cases_per_gpu: int = Field(
        64, ge=1, le=65535, description="most cases that a GPU simulates together, if memory allows"
    )
    checkpoint_seconds: float = Field(300, ge=0, description="least time between checkpoints of a case [s]")
    minutes: Minutes = 0
    grace_seconds: GraceSeconds = GRACE_SECONDS
    grid: Grid = Grid()
    flow: Flow = Flow()
    collision: Collision = Collision()
    boundaries: Boundaries = Boundaries()
    obstacles: Obstacles = Obstacles()
    frames: Frames = Frames()


# Keys that may differ when an unfinished file is resumed: they cannot change what is written into it.
FREE_KEYS = ("output", "ranks_per_case", "device", "cases_per_gpu", "checkpoint_seconds", "minutes", "grace_seconds")
