"""Whether starts are independent: samples that share a past would stand in training and test data alike.

Frames of one trajectory are recognised by their overlap: the fraction of sites that are occupied in both, within 0.3.
As the structure relaxes it falls from 1 to that of chance, 4/3 π 0.3³ times the number density. Sites are counted,
not particles, so it does not matter whether rows keep their order.

Source: collective overlap, e.g. S. Karmakar, C. Dasgupta and S. Sastry, Annu. Rev. Condens. Matter Phys. 5, 255 (2014),
doi:10.1146/annurev-conmatphys-031113-133848.
Units: Lennard-Jones.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from mdgen.initial import Configuration, wrap
from runkit.errors import UserError

NEAR = 0.3  # sigma
MOST = 0.2  # of what chance does not explain; about 1/e remains after tau_alpha


def overlap(a: Configuration, b: Configuration) -> float:
    """Fraction of sites of `b` that are sites of `a`, less that of chance: 1 for the same, 0 for independent."""
    from scipy.spatial import cKDTree  # reading alone does not wait for it

    sites = cKDTree(a.position, boxsize=a.box)
    away, _ = sites.query(wrap(b.position * (a.box / b.box), a.box))
    chance = min(len(a.position) / float(np.prod(a.box)) * 4 / 3 * math.pi * NEAR**3, 0.9)
    return (float(np.mean(away < NEAR)) - chance) / (1 - chance)


def is_same(a: Configuration, b: Configuration) -> bool:
    """Whether two configurations are one."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("position", "species", "box"))


def fingerprint(configurations: Sequence[Configuration]) -> str:
    """SHA-256 of what configurations hold, whatever files they come from."""
    content = hashlib.sha256()
    for one in configurations:
        for array in (one.position, one.box, one.species):
            content.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        content.update(repr(one.temperature).encode())
    return content.hexdigest()


def require_independent(start: Configuration, before: Configuration) -> None:
    """Raise `UserError` if `start`, the next frame of a file, still overlaps with the frame `before` it."""
    remembered = overlap(before, start)
    if remembered > MOST:
        raise UserError(
            f"{start.source} is the frame before it a little later ({100 * remembered:.0f} % of its sites are those "
            "of that frame): frames of one trajectory are no independent samples; say which to "
            "take, such as initial.frames=0 or initial.frames=[0, 500, 1000]"
        )


def require_distinct(given: Sequence[Configuration]) -> None:
    """Raise `UserError` if one of the configurations comes twice."""
    seen: dict[str, str] = {}
    for one in given:
        first = seen.setdefault(fingerprint([one]), one.source)
        if first != one.source:
            raise UserError(
                f"{one.source} is the same configuration as {first}: a sample that comes twice is no second"
            )
