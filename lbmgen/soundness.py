"""Refusals of cases that cannot be stable or accurate, before anything runs, each with the key to change.

Units: lattice units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

from lbmgen.boundaries.face import PERIODIC, Face
from lbmgen.case import Case
from lbmgen.collisions import Collision, collision
from lbmgen.config import RunConfig
from lbmgen.domain import AXES, Domain
from lbmgen.kernels.formulas import require_formulas
from lbmgen.lattices import lattice
from lbmgen.obstacles.placed import PlacedShape
from lbmgen.obstacles.placement import apart
from lbmgen.obstacles.shadow import shadow
from runkit.errors import UserError

MACH_LIMIT = 0.17  # of the fastest fluid of an inlet; the error of the method grows with its square
LARGEST_TAU = 100.0  # walls slip by many sites beyond
SURE = 1e-9  # numbers that differ by less, over their size, are the same


def require_one_velocity(domain: Domain, velocity: float) -> None:
    """Raise UserError unless the reference velocity is that of an inlet or, where there is none, of a sliding wall."""
    faces = {f"boundaries.{name}": face for name, face in domain.named_faces.items()}
    inlets = {name: face.inflow for name, face in faces.items() if face.inflow is not None}
    speeds = inlets or {name: face.slide for name, face in faces.items() if face.slide}
    if speeds and not any(abs(speed - velocity) <= SURE * velocity for speed in speeds.values()):
        name, speed = max(speeds.items(), key=lambda item: item[1])
        way_out = "leave it away, or set" if inlets else "set"
        raise UserError(
            f"{name}: velocity = {speed:g} contradicts flow.velocity = {velocity:g}, from which viscosity, Reynolds "
            f"number and coefficients follow; {way_out} flow.velocity = {max(speed, 0):g}"
        )


def require_sound(config: RunConfig, case: Case) -> None:
    """Raise UserError if a case cannot be stable or accurate."""
    _require_bodies(config, case)
    _require_slow(config, case)
    law = collision.build(config.collision.name, **config.collision.parameters)
    require_formulas(lattice(config.grid.lattice), law, bool(config.flow.force))
    least, where, perhaps = least_tau(law, case.domain.named_faces)
    if case.tau < least:
        raise UserError(
            f"flow.reynolds = {case.reynolds:.4g}: tau = {case.tau:.4f} is too near 1/2 for {config.collision.name!r}"
            f"{where} (allowed: {least:g} or more); lower flow.reynolds, raise grid.refinement, obstacles.diameter or "
            f"flow.velocity, or take another collision.name{perhaps}"
        )
    if case.tau > LARGEST_TAU:
        raise UserError(
            f"flow.reynolds = {case.reynolds:.4g}: tau = {case.tau:.4g} is too large (allowed: {LARGEST_TAU:g} or "
            "less); raise flow.reynolds, or lower grid.refinement, obstacles.diameter or flow.velocity"
        )


def least_tau(law: Collision, faces: Mapping[str, Face]) -> tuple[float, str, str]:
    """The smallest relaxation time at which a law is stable between faces; in words where it holds, and a way out.

    `faces` by their names, such as x_low.
    """
    limits = [(law.least_tau, "", "")]
    for name, face in faces.items():
        key = f"boundaries.{name}"
        limits.append((face.least_tau, f" with {key}", f" or kind of {key}"))
        if face.slide:
            limits.append((law.least_tau_sliding, f" beside {key}, which slides", ""))
        if face.reflects:
            limits.append((law.least_tau_reflecting, f" with {key}, which reflects sound", f" or kind of {key}"))
    return max(limits, key=lambda limit: limit[0])


def fastest_of(domain: Domain) -> float:
    """The largest speed that inlets and sliding walls give, at the peak of their profile."""
    return max(face.fastest(axis, domain) for axis, pair in enumerate(domain.faces) for face in pair)


def _require_slow(config: RunConfig, case: Case) -> None:
    fastest = fastest_of(case.domain)
    mach = math.sqrt(3) * max(fastest, case.velocity) * (1 + config.flow.pulsation)
    if mach > MACH_LIMIT:
        raise UserError(
            f"flow.velocity = {case.velocity:.4g}: the fastest fluid of an inlet, or wall, has {fastest:.4g}, a Mach "
            f"number of {mach:.3f} at its peak; allowed: up to {MACH_LIMIT}; lower flow.velocity, or the velocity in "
            f"boundaries, by a factor of {mach / MACH_LIMIT:.3g}"
        )


def _require_bodies(config: RunConfig, case: Case) -> None:
    options = config.obstacles
    for body in case.bodies:
        if body.thickness < options.thickness:
            raise UserError(
                f"obstacles: a {body.family} is {body.thickness:.3g} sites thick; allowed: {options.thickness:g} or "
                "more; raise obstacles.diameter (or size) or grid.refinement"
            )
    blocked = shadow(case.bodies, case.shape, case.domain.periodic)
    if blocked > options.blockage:
        raise UserError(
            f"obstacles: bodies take {blocked:.2f} of the cross-section; allowed: up to obstacles.blockage = "
            f"{options.blockage:g}; lower obstacles.diameter (or size) or obstacles.count, or raise grid.cells"
        )
    if options.given:  # drawn ones keep these rules by construction
        _require_room(config, case.domain, case.bodies)


def _require_room(config: RunConfig, domain: Domain, bodies: tuple[PlacedShape, ...]) -> None:
    """Bodies keep apart, and away from faces; walls they may also touch, and then without a crack."""
    periods = [n if periodic else None for n, periodic in zip(domain.shape, domain.periodic, strict=True)]
    for (i, one), (j, other) in combinations(enumerate(bodies), 2):
        if not apart(one, other, config.obstacles.gap, periods):
            raise UserError(
                f"obstacles.given: bodies {i} and {j} (counted from 0) overlap or are nearer than obstacles.gap = "
                f"{config.obstacles.gap:g} sites; allowed: farther apart, or one body from a polygon or a file"
            )
    for i, body in enumerate(bodies):
        for axis, pair in enumerate(domain.faces):
            _require_distance(config, domain, f"obstacles.given: body {i} (counted from 0)", body, axis, pair)


def _require_distance(
    config: RunConfig, domain: Domain, what: str, body: PlacedShape, axis: int, pair: tuple[Face, Face]
) -> None:
    low, high = body.extent(axis)
    if axis >= body.shape.dimensions:  # it goes through, from face to face
        return
    if domain.periodic[axis]:
        if domain.shape[axis] - (high - low) < config.obstacles.gap:
            raise UserError(f"{what} is nearer than obstacles.gap = {config.obstacles.gap:g} sites to its image")
        return
    for side, face, room in (("low", pair[0], low), ("high", pair[1], domain.shape[axis] - high)):
        touches = face.may_touch and room <= 0
        if room < config.obstacles.clearance and not touches:
            wall = ", or let it touch the wall" if face.may_touch and face.way != PERIODIC else ""
            raise UserError(
                f"{what} is {room:.3g} sites from boundaries.{AXES[axis]}_{side}; allowed: obstacles.clearance = "
                f"{config.obstacles.clearance:g} or more; move it{wall}"
            )
