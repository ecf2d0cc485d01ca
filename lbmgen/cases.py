"""The cases of a run: obstacles, Reynolds number and inlet of each, drawn from the seed and its own number alone.

A case that cannot be stable or accurate (`soundness.py`) is refused before anything runs, with the key to change.
Units: lattice units, unless a key says cells.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import Face
from lbmgen.case import Case
from lbmgen.config import RunConfig
from lbmgen.domain import AXES, Domain
from lbmgen.lattices import LATTICES, lattice
from lbmgen.obstacles.placed import PlacedShape
from lbmgen.obstacles.placement import Rules, draw
from lbmgen.soundness import require_one_velocity, require_sound
from runkit.errors import UserError
from runkit.mpi import World
from runkit.progress import Progress
from runkit.rng import stream

PLACE = ("family", "center", "size", "angle", "parameters")  # keys of a given body; others are its family's
DRAWS = 20  # of a case, before its configuration is refused


def draw_case(config: RunConfig, i_case: int) -> Case:
    """Case number `i_case`; raises UserError if the configuration allows none.

    A draw that cannot be stable or accurate is rejected and drawn again.
    """
    random = stream(config.seed, "case", i_case)
    rejected: Counter[str] = Counter()
    for _ in range(DRAWS):
        case = _draw(config, i_case, random)
        try:
            require_sound(config, case)
            case.description()
        except UserError as error:
            reason = error
            rejected["unsound"] += 1
            continue
        return replace(case, rejections=dict(rejected + Counter(case.rejections)))
    raise reason


def _draw(config: RunConfig, i_case: int, random: np.random.Generator) -> Case:
    reynolds = _log_uniform(random, config.flow.reynolds)
    velocity = float(random.uniform(config.flow.velocity[0], config.flow.velocity[-1]))
    domain = _domain(config, velocity)
    domain.require_fit()
    domain.require_way_out()
    require_one_velocity(domain, velocity)
    bodies, rejections = _bodies(config, domain, random)
    length = max((body.width for body in bodies), default=float(domain.shape[1]))
    return Case(i_case, domain, bodies, reynolds, velocity, length, rejections)


def most_bodies(config: RunConfig) -> int:
    """Bodies of a case, at most; one where there are none."""
    return max(1, len(config.obstacles.given) or int(config.obstacles.count[-1]))


def input_files(config: RunConfig) -> list[str]:
    """Files that bodies are read from."""
    given = config.obstacles.given
    tables = [_parameters(table) for table in given] if given else list(config.obstacles.families)
    paths = [table.get("path", ()) for table in tables if isinstance(table, dict)]
    return [path for entry in paths for path in ([entry] if isinstance(entry, str) else entry)]


def draw_all(config: RunConfig, world: World) -> list[Case]:
    """All cases of a run, drawn by all ranks; collective. Raises UserError for the first that cannot be, and if all are
    one and the same."""
    with Progress(world, len(world.share(config.n_cases)), "cases", "draw") as progress:

        def draw_next(i_case: int) -> Case:
            case = draw_case(config, i_case)
            progress.advance()
            return case

        cases = world.each(draw_next, config.n_cases)
    if len(cases) > 1 and config.flow.disturbance == 0 and all(replace(case, number=0) == cases[0] for case in cases):
        raise UserError(
            f"n_cases = {config.n_cases}: all cases would be the same to the last bit; allowed: 1, or a range for "
            "flow.reynolds, flow.velocity or obstacles, or flow.disturbance above 0"
        )
    return cases


def _domain(config: RunConfig, velocity: float) -> Domain:
    d = lattice(config.grid.lattice).d
    for key, given in (("grid.cells", config.grid.cells), ("flow.force", config.flow.force or (0,) * d)):
        if len(given) != d:
            others = " or ".join(name for name, other in LATTICES.items() if other.d == len(given))
            more = f", or grid.lattice = {others}" if others else ""
            told = f"{config.grid.lattice} has {d} dimensions; allowed: {d} numbers{more}"
            raise UserError(f"{key} = {list(given)}: {told}")
    faces = tuple(
        (_face(config, f"{axis}_low", velocity), _face(config, f"{axis}_high", velocity)) for axis in AXES[:d]
    )
    return Domain(tuple(n * config.grid.refinement for n in config.grid.cells), faces)


def _face(config: RunConfig, name: str, velocity: float) -> Face:
    table = dict(getattr(config.boundaries, name))
    kind = table.pop("kind", None)
    if kind is None:
        raise UserError(f"boundaries.{name} has no kind; known: {', '.join(boundary.names())}")
    try:
        from_flow = boundary.get(kind).from_flow
        return boundary.build(kind, **({from_flow: velocity} if from_flow else {}) | table)
    except UserError as error:
        raise UserError(f"boundaries.{name}: {error}") from None


def _bodies(
    config: RunConfig, domain: Domain, random: np.random.Generator
) -> tuple[tuple[PlacedShape, ...], dict[str, int]]:
    options, width = config.obstacles, config.grid.refinement
    if options.given:
        return tuple(_given(i, table, width, config.grid.cells) for i, table in enumerate(options.given)), {}
    count = int(random.integers(int(options.count[0]), int(options.count[-1]), endpoint=True))
    diameter = options.diameter[0] * width, options.diameter[-1] * width
    keys = ("gap", "clearance", "upstream", "downstream", "blockage", "thickness")
    rules = Rules(**{key: getattr(options, key) for key in keys})
    return draw(random, options.families, count, diameter, domain, rules)


def _given(i: int, table: dict[str, Any], width: int, cells: Sequence[int]) -> PlacedShape:
    """A body in sites from its table in cells, the `i`-th one; raises UserError."""
    where, d = f"obstacles.given: body {i} (counted from 0): ", len(cells)
    if missing := [key for key in PLACE[:3] if key not in table]:
        raise UserError(f"{where}{table} has no {missing[0]}; needed: family, center and size")
    center, parameters = table["center"], _parameters(table)
    numbers = [*(center if isinstance(center, (list, tuple)) else [None]), table["size"], table.get("angle", 0.0)]
    if len(numbers) != d + 2 or not all(_is_number(value) for value in numbers) or not isinstance(parameters, dict):
        raise UserError(
            f"{where}{table}: allowed: center of {d} numbers [cell], numbers for size [cell] and angle [rad], a table "
            "of parameters"
        )
    if not all(0 <= x <= n for x, n in zip(center, cells, strict=True)):
        allowed_center = ", ".join(f"0 to {n}" for n in cells)
        raise UserError(f"{where}center = {center} is outside; allowed: {allowed_center} [cell]")
    *place, size, angle = map(float, numbers)
    try:
        return PlacedShape(table["family"], parameters, tuple(x * width for x in place), size * width, angle)
    except UserError as error:
        raise UserError(f"{where}{error}") from None


def _parameters(table: Mapping[str, Any]) -> Any:
    """The parameters of a given body's family: they stand beside its place, or in a table of their own."""
    beside, apart = {key: value for key, value in table.items() if key not in PLACE}, table.get("parameters", {})
    return beside | apart if isinstance(apart, dict) else apart


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _log_uniform(random: np.random.Generator, ends: tuple[float, ...]) -> float:
    return math.exp(random.uniform(math.log(ends[0]), math.log(ends[-1])))
