"""The cases of a run: obstacles, Reynolds number and inlet of each, drawn from the seed and its own number alone.

What cannot be stable or accurate is refused before anything runs, with the key to change.
Units: lattice units, unless a key says cells.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lbmgen.boundaries import boundary
from lbmgen.boundaries.outlet import Convective
from lbmgen.boundaries.wall import Velocity
from lbmgen.collisions import collision
from lbmgen.config import Case
from lbmgen.domain import AXES, Domain
from lbmgen.lattices import lattice
from lbmgen.obstacles.placed import Placed, union_distance
from lbmgen.obstacles.placement import Rules, draw
from runkit.errors import UserError
from runkit.mpi import World
from runkit.progress import Progress
from runkit.rng import stream

MACH_LIMIT = 0.17  # of the inlet's fastest fluid; the error of the method grows with its square
LONGEST_DESCRIPTION = 2048
DRAWS = 20  # of a case, before its configuration is refused


@dataclass(frozen=True)
class FlowCase:
    """One case: what stands in the domain, and how fast what flows past it."""

    domain: Domain
    placed: tuple[Placed, ...]
    reynolds: float
    velocity: float
    length: float
    rejections: dict[str, int]

    @property
    def viscosity(self) -> float:
        return self.velocity * self.length / self.reynolds

    @property
    def tau(self) -> float:
        """Relaxation time."""
        return 3 * self.viscosity + 0.5

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance [...] of points [..., d] to the bodies."""
        periods = [n if is_periodic else None for n, is_periodic in zip(self.shape, self.domain.periodic, strict=True)]
        return union_distance(self.placed, points, periods)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sites along each axis."""
        return self.domain.shape

    def description(self) -> str:
        """All that was drawn, as JSON."""
        about = {
            "obstacles": [body.as_dict() for body in self.placed],
            "reynolds_number": self.reynolds,
            "velocity": self.velocity,
            "length": self.length,
            "tau": self.tau,
            "rejections": self.rejections,
        }
        text = json.dumps(about, separators=(",", ":"))
        if len(text) > LONGEST_DESCRIPTION:
            raise UserError(
                f"obstacles: the description of a case has {len(text)} characters; allowed: {LONGEST_DESCRIPTION}; "
                "use fewer bodies, or a file for a polygon of many vertices"
            )
        return text


def draw_case(case: Case, i_case: int) -> FlowCase:
    """Case number `i_case`; raises UserError if the configuration allows none.

    A draw that cannot be stable or accurate is rejected and drawn again.
    """
    random = stream(case.seed, "case", i_case)
    rejected: Counter[str] = Counter()
    for _ in range(DRAWS):
        flow = _draw(case, random)
        try:
            _require_sound(case, flow)
        except UserError as error:
            reason = error
            rejected["unsound"] += 1
            continue
        return replace(flow, rejections=dict(rejected + Counter(flow.rejections)))
    raise reason


def _draw(case: Case, random: np.random.Generator) -> FlowCase:
    reynolds = _log_uniform(random, case.flow.reynolds)
    velocity = float(random.uniform(case.flow.velocity[0], case.flow.velocity[-1]))
    domain = _domain(case, velocity)
    placed, rejections = _bodies(case, domain, random)
    length = max((body.span[1] - body.span[0] for body in placed), default=float(domain.shape[1]))
    return FlowCase(domain, placed, reynolds, velocity, length, rejections)


def draw_all(case: Case, world: World) -> list[FlowCase]:
    """All cases of a run, drawn by all ranks; collective. Raises UserError for the first that cannot be."""
    with Progress(world, len(world.share(case.n_cases)), "cases", "draw") as progress:

        def draw_next(i_case: int) -> FlowCase:
            flow = draw_case(case, i_case)
            progress.advance()
            return flow

        return world.each(draw_next, case.n_cases)


def _domain(case: Case, velocity: float) -> Domain:
    d = lattice(case.grid.lattice).d
    if len(case.grid.cells) != d:
        raise UserError(f"grid.cells = {list(case.grid.cells)}: {case.grid.lattice} needs {d} numbers")
    if case.flow.force and len(case.flow.force) != d:
        raise UserError(f"flow.force = {list(case.flow.force)}: {case.grid.lattice} needs {d} numbers")
    faces = tuple(tuple(_face(case, f"{axis}_{side}", velocity) for side in ("low", "high")) for axis in AXES[:d])
    return Domain(tuple(n * case.grid.refinement for n in case.grid.cells), faces)


def _face(case: Case, name: str, velocity: float) -> Any:
    table = dict(getattr(case.boundaries, name))
    kind = table.pop("kind", None)
    if kind is None:
        raise UserError(f"boundaries.{name} has no kind; known: {', '.join(boundary.names())}")
    try:
        face = boundary.build(kind, **table)
    except UserError as error:
        raise UserError(f"boundaries.{name}: {error}") from None
    if isinstance(face, Velocity) and not face.velocity:
        return replace(face, velocity=velocity)
    if isinstance(face, Convective) and "speed" not in table:
        return replace(face, speed=velocity)
    return face


def _bodies(case: Case, domain: Domain, random: np.random.Generator) -> tuple[tuple[Placed, ...], dict[str, int]]:
    options, width = case.obstacles, case.grid.refinement
    if options.given:
        return tuple(_given(table, width, case.grid.cells) for table in options.given), {}
    count = int(random.integers(int(options.count[0]), int(options.count[-1]), endpoint=True))
    diameter = options.diameter[0] * width, options.diameter[-1] * width
    keys = ("gap", "clearance", "upstream", "downstream", "blockage", "thickness")
    rules = Rules(**{key: getattr(options, key) for key in keys})
    return draw(random, options.families, count, diameter, domain, rules)


def _given(table: dict[str, Any], width: int, cells: Sequence[int]) -> Placed:
    d = len(cells)
    needed, allowed = {"family", "center", "size"}, {"angle", "parameters"}
    if not needed <= set(table) <= needed | allowed or len(table["center"]) != d:
        raise UserError(
            f"obstacles.given = {table}: needed: family, center ({d} numbers [cell]) and size [cell]; allowed beside "
            "them: angle [rad] and parameters"
        )
    if not all(0 <= float(x) <= n for x, n in zip(table["center"], cells, strict=True)):
        allowed_center = ", ".join(f"0 to {n}" for n in cells)
        raise UserError(f"obstacles.given: center = {table['center']} is outside; allowed: {allowed_center} [cell]")
    center = tuple(float(x) * width for x in table["center"])
    size, angle = float(table["size"]) * width, float(table.get("angle", 0.0))
    return Placed(table["family"], table.get("parameters", {}), center, size, angle)


def _require_sound(case: Case, flow: FlowCase) -> None:
    """Raise UserError if a case cannot be stable or accurate."""
    for body in flow.placed:
        if body.thickness < case.obstacles.thickness:
            raise UserError(
                f"obstacles: a {body.family} is {body.thickness:.3g} sites thick; allowed: {case.obstacles.thickness:g}"
                " or more; raise obstacles.diameter (or size) or grid.refinement"
            )
    blocked = sum(body.span[1] - body.span[0] for body in flow.placed) / flow.shape[1]
    if flow.placed and len(flow.shape) == 2 and blocked > case.obstacles.blockage:
        raise UserError(
            f"obstacles: bodies take {blocked:.2f} of the cross-section; allowed: up to obstacles.blockage = "
            f"{case.obstacles.blockage:g}; lower obstacles.diameter or obstacles.count, or raise grid.cells"
        )
    fastest = max((_peak(face) for pair in flow.domain.faces for face in pair), default=0.0)
    mach = math.sqrt(3) * max(fastest, flow.velocity)
    if mach > MACH_LIMIT:
        raise UserError(
            f"flow.velocity = {flow.velocity:.4g}: the inlet lets fluid in at up to {fastest:.4g}, a Mach number of "
            f"{mach:.3f}; allowed: up to {MACH_LIMIT}; lower flow.velocity, or the velocity in boundaries, by a factor "
            f"of {mach / MACH_LIMIT:.3g}"
        )
    law = collision.build(case.collision.name, **case.collision.parameters)
    if flow.tau < law.least_tau:
        raise UserError(
            f"flow.reynolds = {flow.reynolds:.4g}: tau = {flow.tau:.4f} is too near 1/2 for {case.collision.name!r} "
            f"(allowed: {law.least_tau:g} or more); lower flow.reynolds, raise grid.refinement, obstacles.diameter or "
            "flow.velocity, or take another collision.name"
        )


def _peak(face: Any) -> float:
    if not isinstance(face, Velocity):
        return 0.0
    return abs(face.velocity) * (1.5 if face.profile == "parabolic" else 1.0)


def _log_uniform(random: np.random.Generator, ends: tuple[float, ...]) -> float:
    if min(ends) <= 0:
        raise UserError(f"flow.reynolds = {list(ends)}; allowed: above 0")
    return math.exp(random.uniform(math.log(ends[0]), math.log(ends[-1])))
