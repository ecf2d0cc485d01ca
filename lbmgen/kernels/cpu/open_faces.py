"""Open faces after a step: what enters, by the formulas of their kinds, made into functions for Numba.

Each kind has a loop over the links of a site, which finds what its formulas need and no more.
"""

from functools import cache

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from lbmgen.boundaries.face import open_faces
from lbmgen.kernels.open_faces import Places, needs_of, on_row
from runkit.formula import Plain
from runkit.formula.compiled import inlined
from runkit.simd.compiled import part
from runkit.simd.lanes import peek


@cache
def make_outlets(d):
    """What enters through open faces in `d` dimensions, as a part of kernels.

    Called as outlets(h, faces, begin, end, state, c, w): flat populations, `Outlets`, some of its sites, how
    populations lie, velocities [q, d] and weights [q].
    """
    set_site, size = _nothing, 0
    for number, face in reversed(list(enumerate(open_faces()))):
        set_site = _either(number, _make_site(face, d), set_site)
        size = max(size, Places.of(face, d).size)

    @part
    def outlets(h, faces, begin, end, state, c, w):
        row = np.zeros(size)
        for site in range(begin, end):
            set_site(h, faces, site, state, c, w, row)

    return outlets


@part
def _nothing(h, faces, site, state, c, w, row):
    """No kind has another number."""


def _either(number, this, others):
    """What sets a site at a face of the kind with this number, and else `others`."""

    @part
    def set_site(h, faces, site, state, c, w, row):
        if peek(faces.law, site) == number:
            this(h, faces, site, state, c, w, row)
        else:
            others(h, faces, site, state, c, w, row)

    return set_site


def _make_site(face, d):
    """What sets a site at a face of a kind. `row` are the numbers that formulas take (`lbmgen.kernels.open_faces`)."""
    at, needs, guesses = Places.of(face, d), needs_of(face, d), face.guess is not None
    arriving, guess = (inlined(on_row(formula, face, d), Plain) for formula in (face.arriving, face.guess or _none))
    n_parameters, size = at.moments, at.size

    @part
    def set_site(h, faces, site, state, c, w, row):
        for k in range(n_parameters):
            row[k] = faces.parameters[site, k]
        left = (state * len(faces.law) + site) * len(w)
        _moments(h, faces, left, 0, c, row, at.moments, needs.velocity)
        if needs.inside:
            _moments(h, faces, left, peek(faces.inward, site), c, row, at.inside, True)
        if needs.place:
            for axis in range(d):
                row[at.normal + axis] = faces.normal[site, axis]
            for k in range(1 + d):
                row[at.share + k] = faces.share[site, k]
        if needs.arrived:
            _known(h, faces, left, c, row, at.arrived)
            for link in range(peek(faces.start, site), peek(faces.start, site + 1)):
                _see_link(h, faces, link, state, left, c, w, row, at)
                value = guess(to_fixed_tuple(row, size))
                row[at.arrived] += value
                for axis in range(d):
                    row[at.arrived + 1 + axis] += c[faces.i[link], axis] * value
        for link in range(peek(faces.start, site), peek(faces.start, site + 1)):
            _see_link(h, faces, link, state, left, c, w, row, at)
            if guesses:
                row[at.guess] = guess(to_fixed_tuple(row, size))
            value = arriving(to_fixed_tuple(row, size))
            faces.memory[np.uint64(link)] = value
            h[np.uint64(peek(faces.target, state * len(faces.i) + link))] = value

    return set_site


def _none(face, site, link):
    """The guess of a face that makes none."""
    return 0.0


@part
def _moments(h, faces, left, shift, c, row, place, with_velocity):
    """Excess density and, if asked for, velocity of what has left a site, or the one at a distance `shift` from it."""
    excess = 0.0
    for i in range(len(c)):
        excess += np.float64(peek(h, peek(faces.left, left + i) + shift))
    row[place] = excess
    if with_velocity:
        for axis in range(c.shape[1]):
            momentum = 0.0
            for i in range(len(c)):
                momentum += c[i, axis] * np.float64(peek(h, peek(faces.left, left + i) + shift))
            row[place + 1 + axis] = momentum / (1.0 + excess)


@part
def _known(h, faces, left, c, row, place):
    """Excess density and momentum of what has arrived at a site by other ways than its open faces."""
    row[place : place + 1 + c.shape[1]] = 0.0
    for i in range(len(c)):
        here = peek(faces.here, left + i)
        if here >= 0:
            value = np.float64(peek(h, here))
            row[place] += value
            for axis in range(c.shape[1]):
                row[place + 1 + axis] += c[i, axis] * value


@part
def _see_link(h, faces, link, state, left, c, w, row, at):
    """What formulas take of a link."""
    i = peek(faces.i, link)
    for axis in range(c.shape[1]):
        row[at.c + axis] = c[i, axis]
    row[at.w] = w[i]
    row[at.opposite] = peek(h, peek(faces.left, left + (i + 1 if i % 2 == 1 else i - 1)))
    row[at.inner] = peek(h, peek(faces.inner, state * len(faces.i) + link))
    row[at.memory] = peek(faces.memory, link)
