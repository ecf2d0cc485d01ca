"""Random obstacles of a case: which, how large, and where.

Bodies are added one after another, each at a random place that the rules allow; where there is none, another body is
drawn, and after many of them the whole arrangement begins anew. So small bodies are somewhat more frequent in crowded
domains than the log-uniform law of diameters gives.

Units: sites and radians; `upstream` and `downstream` count diameters of the body.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.placed import PlacedShape, shifts
from lbmgen.obstacles.shadow import shadow
from runkit.errors import UserError

ARRANGEMENTS, BODIES, PLACES = 10, 10, 20  # tries of a case, of bodies one after another in vain, of places per body
LARGEST = 2.0**53  # of a number in a range
SPACING = 0.25  # of the surface points at which the gap between two bodies is measured


class DomainShape(Protocol):
    """A domain: its sites [d], and which axes are periodic."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def periodic(self) -> tuple[bool, ...]: ...


@dataclass(frozen=True)
class Rules:
    """What holds for every body of a case."""

    gap: float = 4.0  # least distance between bodies
    clearance: float = 2.0  # least distance from walls and open faces
    upstream: float = 3.0  # least distance of the centre from the inlet, in diameters; not in a domain periodic along x
    downstream: float = 5.0  # least distance of the centre from the outlet, likewise
    blockage: float = 0.3  # largest part of the cross-section in the shadow of bodies
    thickness: float = 4.0  # least diameter of the largest circle that fits inside


class Drawing(NamedTuple):
    """Bodies, and how many were rejected for breaking which rule."""

    bodies: tuple[PlacedShape, ...]
    rejections: dict[str, int]


def draw(
    stream: np.random.Generator,
    families: Sequence[Mapping[str, Any]],
    count: int,
    diameter: tuple[float, float],
    domain: DomainShape,
    rules: Rules,
) -> Drawing:
    """`count` bodies with diameters log-uniform in `diameter`, in any direction, that keep the rules.

    A family is a table {"family": name, parameter: value, …}. A list given for a parameter that is one number is a
    range [low, high] to draw from, for one that is a word it is a choice; "angle" replaces the range [0, 2 pi].
    Raises UserError that names the key to change where no arrangement is found.
    """
    rejections: Counter[str] = Counter()
    _require_area(count, domain, rules)
    for _ in range(ARRANGEMENTS):
        bodies: list[PlacedShape] = []
        in_vain = 0
        while len(bodies) < count and in_vain < BODIES:
            body = _settled(stream, _body(stream, families, diameter, len(domain.shape)), bodies, domain, rules)
            if isinstance(body, PlacedShape):
                bodies.append(body)
                in_vain = 0
            else:
                in_vain += 1
                rejections[body] += 1
        if len(bodies) == count:
            return Drawing(tuple(bodies), dict(rejections))
    raise UserError(_advice(rejections, count, diameter, domain, rules))


def _require_area(count: int, domain: DomainShape, rules: Rules) -> None:
    """Raise UserError if so many circles of the least thickness, half the gap around each, cannot fit side by side."""
    length, height = domain.shape[:2]
    most = (length + rules.gap) * (height + rules.gap) / (math.pi / 4 * (rules.thickness + rules.gap) ** 2)
    if len(domain.shape) == 2 and count > most:
        raise UserError(
            f"obstacles: no room for count = {count} in {length} x {height} sites: {int(most)} bodies or fewer, "
            f"thickness = {rules.thickness:g} and gap = {rules.gap:g} sites apart, could fit; lower count, or raise "
            "the domain"
        )


def apart(one: PlacedShape, other: PlacedShape, gap: float, periods: Sequence[float | None]) -> bool:
    """Whether two bodies and their images keep a gap; one that is wider by less than SPACING / 2 may be refused.

    The surface of each is held against the distance of the other, since one may lie inside the other. That of a body
    of three dimensions meets any cylinder, so there one way is enough.
    """
    common = min(one.shape.dimensions, other.shape.dimensions)
    for shift in shifts(periods[:common]):
        offset = np.subtract(other.center[:common], one.center[:common]) + shift
        if np.linalg.norm(offset) - one.radius - other.radius >= gap:
            continue
        image = other.at((*np.add(other.center[:common], shift), *other.center[common:]))
        for a, b in ((one, image), (image, one)):
            if a.shape.dimensions >= b.shape.dimensions and b.distance(a.surface(SPACING)).min() < gap + SPACING / 2:
                return False
    return True


def _body(
    stream: np.random.Generator, families: Sequence[Mapping[str, Any]], diameter: tuple[float, float], dimensions: int
) -> PlacedShape:
    """A random body at the origin."""
    table = dict(families[int(stream.integers(len(families)))])
    family = table.pop("family", "")
    angle = _value(stream, "angle", "float", table.pop("angle", (0.0, 2 * math.pi)))
    known = obstacle.parameters(family)
    obstacle.check(family, table)
    parameters = {key: _value(stream, f"{family}.{key}", known[key].annotation, table[key]) for key in table}
    size = math.exp(stream.uniform(math.log(diameter[0]), math.log(diameter[1])))
    return PlacedShape(family, parameters, (0.0,) * dimensions, size, angle)


def _value(stream: np.random.Generator, key: str, kind: str, given: Any) -> Any:
    """The given value, or one drawn from it if it is a list where the parameter, of annotation `kind`, is none."""
    if kind not in ("float", "int", "str") or not isinstance(given, (list, tuple)):
        return given
    if kind == "str" and given:
        return given[stream.integers(len(given))]
    numbers = (int,) if kind == "int" else (int, float)
    plain = all(isinstance(end, numbers) and not isinstance(end, bool) and abs(end) < LARGEST for end in given)
    if len(given) != 2 or not plain or not given[0] <= given[1]:
        raise UserError(f"{key} = {list(given)} is not allowed; allowed: one value or a range [low, high]")
    low, high = given
    return int(stream.integers(low, high, endpoint=True)) if kind == "int" else float(stream.uniform(low, high))


def _settled(
    stream: np.random.Generator, body: PlacedShape, bodies: Sequence[PlacedShape], domain: DomainShape, rules: Rules
) -> PlacedShape | str:
    """The body at a place that keeps the rules, or the rule that it breaks."""
    if shadow([body.at([n / 2 for n in domain.shape])], domain.shape, domain.periodic) > rules.blockage:
        return "blockage"
    low, high = np.array([_allowed(body, axis, domain, rules) for axis in range(body.shape.dimensions)]).T
    if np.any(low > high):
        return "room"
    if body.thickness < rules.thickness:
        return "thickness"
    periods = [n if periodic else None for n, periodic in zip(domain.shape, domain.periodic, strict=True)]
    broken = "gap"
    for _ in range(PLACES):
        here = body.at(low + (high - low) * stream.random(len(low)))
        if not all(apart(here, other, rules.gap, periods) for other in bodies):
            broken = "gap"
        elif bodies and shadow([*bodies, here], domain.shape, domain.periodic) > rules.blockage:
            broken = "blockage"
        else:
            return here
    return broken


def _allowed(body: PlacedShape, axis: int, domain: DomainShape, rules: Rules) -> tuple[float, float]:
    """Where the centre of a body that lies at the origin may go along an axis; low > high if nowhere."""
    (reach_low, reach_high), length = body.extent(axis), domain.shape[axis]
    if domain.periodic[axis]:
        return (0.0, length) if reach_high - reach_low + rules.gap <= length else (1.0, 0.0)
    low, high = rules.clearance - reach_low, length - rules.clearance - reach_high
    if axis == 0:
        low, high = max(low, rules.upstream * body.size), min(high, length - rules.downstream * body.size)
    return low, high


def _advice(
    rejections: Mapping[str, int], count: int, diameter: tuple[float, float], domain: DomainShape, rules: Rules
) -> str:
    """One line: the rule that rejected most, and what to change."""
    reason = max(rejections, key=lambda rule: rejections[rule])
    sites = " x ".join(map(str, domain.shape))
    meant, change = {
        "blockage": (f"they block more than blockage = {rules.blockage} of it", "count or diameter, or raise blockage"),
        "room": (
            f"none keeps upstream = {rules.upstream} diameters from the inlet, downstream = {rules.downstream} from "
            f"the outlet and clearance = {rules.clearance} sites from walls",
            "diameter, upstream, downstream or clearance, or raise the domain",
        ),
        "thickness": (
            f"they are thinner than thickness = {rules.thickness} sites",
            "thickness, or better raise diameter",
        ),
        "gap": (f"they come closer than gap = {rules.gap} sites", "count, diameter or gap"),
    }[reason]
    return (
        f"obstacles: no place for count = {count} of diameter = {list(diameter)} sites in {sites} sites: "
        f"mostly ({rejections[reason]} of {sum(rejections.values())} drawn) {meant}; lower {change}"
    )
