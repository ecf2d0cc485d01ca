"""What formulas of open faces are applied to: a site at a face, and a link along which a population enters there.

All values are numbers in double precision, in one order of operations for every machine (`lbmgen.kernels.open_faces`).
Units: lattice units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runkit.formula import Value


class Flow(Protocol):
    """Excess density (density - 1) and velocity [d] of the populations that have left a site in this step."""

    excess: Value
    velocity: Sequence[Value]


class Sum(Protocol):
    """Excess density and momentum [d] of some populations of a site."""

    excess: Value
    momentum: Sequence[Value]


class Site(Flow, Protocol):
    """A site at one or more open faces, with its own density and velocity.

    `inside`: those of the site further in, straight away from all its open faces; its own if that site is solid.
    `normal` [d]: the unit vector out of the domain through all these faces. `share`: the sum that the site would gain
    if each link that enters through an open face had its weight more. `arrived`: the sum of what has arrived, guesses
    among it; a guess cannot depend on it.
    """

    inside: Flow
    normal: Sequence[Value]
    share: Sum
    arrived: Sum


class Link(Protocol):
    """A link that enters through an open face: its velocity `c` [d] and its weight `w`.

    `opposite`: the population that left the site the other way. `memory`: what arrived last. `inner`: what arrived
    along it at the site further in. `guess`: the face's own guess for it, zero for a face without.
    """

    c: Sequence[Value]
    w: Value
    opposite: Value
    memory: Value
    inner: Value
    guess: Value
