"""Arguments of the formulas of open faces, as places in a row of numbers that kernels fill; and what a formula needs.

`lbmgen.boundaries.site` describes the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

from lbmgen.boundaries.face import Open, most_parameters
from lbmgen.boundaries.site import Link, Site
from runkit.formula import FormulaError, Plain, Value, value_of


class Places(NamedTuple):
    """Where each kind of numbers begins in a row, after room for the parameters of any face; `size` is its length."""

    moments: int
    inside: int
    normal: int
    share: int
    arrived: int
    c: int
    w: int
    opposite: int
    inner: int
    memory: int
    guess: int
    size: int

    @classmethod
    def of(cls, d: int) -> Places:
        """Those in `d` dimensions."""
        ends = [most_parameters()]
        for length in (1 + d, 1 + d, d, 1 + d, 1 + d, d, 1, 1, 1, 1, 1):
            ends.append(ends[-1] + length)
        return cls(*ends)


def arguments(face: type[Open], d: int, row: Sequence[Value]) -> tuple[Open, Site, Link]:
    """The face, the site and the link that formulas are computed of, from a row of numbers."""
    at = Places.of(d)

    def moments(place: int, name: str) -> SimpleNamespace:
        return SimpleNamespace(**{"excess": row[place], name: row[place + 1 : place + 1 + d]})

    site = moments(at.moments, "velocity")
    site.inside, site.normal = moments(at.inside, "velocity"), row[at.normal : at.normal + d]
    site.share, site.arrived = moments(at.share, "momentum"), moments(at.arrived, "momentum")
    link = SimpleNamespace(c=row[at.c : at.c + d])
    for name in ("w", "opposite", "inner", "memory", "guess"):
        setattr(link, name, row[getattr(at, name)])
    return face.of_values(row), site, link


def on_row(name: str, face: type[Open], d: int, row: Sequence[Value]) -> Value:
    """What the formula of this name, `guess` or `arriving`, gives for a row of numbers."""
    own, site, link = arguments(face, d, row)
    return own.guess(site, link) if name == "guess" else own.arriving(site, link)


class Needs(NamedTuple):
    """The numbers that kernels have to find before the formulas of a face can be computed."""

    velocity: bool
    inside: bool
    place: bool  # normal and share
    arrived: bool
    link: bool  # c and opposite
    guess: bool


def needs_of(face: type[Open], d: int) -> Needs:
    """What the formulas of a face depend on; raises FormulaError for a guess that depends on what follows from it."""
    at = Places.of(d)

    def used_by(name: str) -> frozenset[int]:
        row = [Plain(_Dependence(), frozenset([place])) for place in range(at.size)]
        used: frozenset[int] = value_of(_Dependence(), on_row(name, face, d, row))
        return used

    first = used_by("guess")
    if not first.isdisjoint([*range(at.arrived, at.c), at.guess]):
        raise FormulaError("uses site.arrived or link.guess, which follow from it")
    used = first | used_by("arriving")

    def needs(*places: int) -> bool:
        return not used.isdisjoint(places)

    return Needs(
        velocity=needs(*range(at.moments + 1, at.inside)),
        inside=needs(*range(at.inside, at.normal)),
        place=needs(*range(at.normal, at.arrived)),
        arrived=needs(*range(at.arrived, at.c)),
        link=needs(*range(at.c, at.w), at.opposite),
        guess=needs(at.guess),
    )


class _Dependence:
    """A machine for formulas whose values are sets: the places of a row that a value depends on."""

    def constant(self, number: float) -> frozenset[int]:
        return frozenset()

    def _joined(self, *values: frozenset[int]) -> frozenset[int]:
        return frozenset().union(*values)

    fma = add = subtract = multiply = divide = negative = sqrt = copysign = greater = _joined
