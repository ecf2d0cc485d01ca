"""The profile of a developed flow through a face, from which of the faces beside it are no-slip walls.

Along an axis between two no-slip walls it is the parabola, between a no-slip wall and any other face its half (the
other face is a mirror), between others it is uniform. Where both axes of a duct have no-slip walls it is the series
solution for a rectangle, not the product of parabolas, which no flow keeps: in a square the fastest fluid is 2.096
times the mean, where the product has 2.25.

Source: R. K. Shah, A. L. London, Laminar Flow Forced Convection in Ducts, Academic Press 1978, chapter VII;
F. M. White, Viscous Fluid Flow, 3rd edition, eq. 3-48.
Units: lattice units; profiles are over their mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from runkit.arrays import F64
from runkit.elementary import cos, exp

TERMS = 100  # of the series; the first that is left out is 1e-7 of the first one


class DomainShape(Protocol):
    """A domain: its sites [d], and for each axis whether its low and its high face are no-slip walls."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def no_slip(self) -> tuple[tuple[bool, bool], ...]: ...


def profile(place: F64, axis: int, domain: DomainShape) -> F64:
    """Velocity [n] over its mean at places [n, d] of a face at right angles to `axis`."""
    across = [_from_middle(place[:, other], domain, other) for other in _walled(axis, domain)]
    if not across:
        return np.ones(len(place))
    if len(across) == 1:
        (y, a), *_ = across
        return 1.5 * (1 - (y / a) ** 2)
    return _duct(*across)


def peak(axis: int, domain: DomainShape) -> float:
    """The largest velocity of the profile over its mean."""
    middle = np.array([[_middle(domain, other) for other in range(len(domain.shape))]], np.float64)
    return float(profile(middle, axis, domain)[0])


def has_profile(axis: int, domain: DomainShape) -> bool:
    """Whether there is a no-slip wall beside the face."""
    return bool(_walled(axis, domain))


def _walled(axis: int, domain: DomainShape) -> Sequence[int]:
    return [other for other, walls in enumerate(domain.no_slip) if other != axis and any(walls)]


def _middle(domain: DomainShape, axis: int) -> float:
    """Where the flow is fastest along an axis: half-way between two walls, else at the face that is none."""
    low, high = domain.no_slip[axis]
    return domain.shape[axis] * {(True, False): 1.0, (False, True): 0.0}.get((low, high), 0.5)


def _from_middle(place: F64, domain: DomainShape, axis: int) -> tuple[F64, float]:
    """Distance from where the flow is fastest, and that of the wall."""
    half = 0.5 if all(domain.no_slip[axis]) else 1.0
    return np.abs(place - _middle(domain, axis)), half * domain.shape[axis]


def _duct(first: tuple[F64, float], second: tuple[F64, float]) -> F64:
    """Between walls at |y| = a and |z| = b."""
    (y, a), (z, b) = first, second
    total, mean = np.zeros(len(y)), 1.0
    for n in range(1, 2 * TERMS, 2):
        k, sign = n * math.pi / (2 * a), (1 if n % 4 == 1 else -1)
        # cosh(k z) / cosh(k b), which would overflow as it stands
        ratio = exp(k * (z - b)) * (1 + exp(-2 * k * z)) / (1 + math.exp(-2 * k * b))
        total += sign / n**3 * (1 - ratio) * cos(k * y)
        mean -= 192 * a / (math.pi**5 * b) * math.tanh(k * b) / n**5
    return 48 / math.pi**3 / mean * total
