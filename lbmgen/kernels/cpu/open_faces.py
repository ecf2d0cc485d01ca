"""Open faces after a step: what enters, by the formulas of their kinds, which become instructions of one function.

Functions that are called for each link have no branches that could be outside of them: Numba would count references to
all tables in every call then, by atomic instructions, which takes four times as long as all the rest.
"""

from functools import cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from lbmgen.boundaries.face import most_parameters, open_faces
from lbmgen.kernels.open_faces import Places, needs_of, on_row
from runkit.formula import Plain, value_of
from runkit.formula.llvm import Instructions
from runkit.simd.lanes import element
from runkit.simd.parts import helper, part


@cache
def make_outlets(d):
    """What enters through open faces in `d` dimensions, as a part of kernels.

    Called as set_outlets(h, outlets, begin, end, state, c, w): flat populations, `Outlets`, some of its sites, how
    populations lie, velocities [q, d] and weights [q].
    """
    at, n_parameters = Places.of(d), most_parameters()
    guess, arriving = _make_formula("guess", d), _make_formula("arriving", d)
    needs = np.array([needs_of(face, d) for face in open_faces()], np.int64)
    velocity, inside, place, arrived, way, guessed = needs.T.copy()

    @part
    def set_outlets(h, outlets, begin, end, state, c, w):
        # One row for all: formulas find their arguments at fixed places, and only what one of them takes is filled in.
        row = np.zeros(at.size)
        for site in range(begin, end):
            law = element(outlets.law, site)
            first, last = element(outlets.start, site), element(outlets.start, site + 1)
            left = (state * len(outlets.law) + site) * len(w)
            for k in range(n_parameters):
                row[k] = element(outlets.parameters, site * n_parameters + k)
            _moments(h, outlets.left, left, 0, c, row, at.moments, element(velocity, law))
            if element(inside, law):
                _moments(h, outlets.left, left, element(outlets.inward, site), c, row, at.inside, 1)
            if element(place, law):
                for axis in range(d):
                    row[at.normal + axis] = element(outlets.normal, site * d + axis)
                for k in range(1 + d):
                    row[at.share + k] = element(outlets.share, site * (1 + d) + k)
            if element(arrived, law):
                _known(h, outlets.here, left, c, row, at.arrived)
                # All guesses of a site come before its first link is set: what arrives there depends on their sum.
                for link in range(first, last):
                    _see_link(h, outlets, link, state, w, row, at)
                    _see_way(h, outlets, element(outlets.i, link), left, c, row, at)
                    value = guess(law, row)
                    row[at.arrived] += value
                    for axis in range(d):
                        row[at.arrived + 1 + axis] += row[at.c + axis] * value
            for link in range(first, last):
                _see_link(h, outlets, link, state, w, row, at)
                if element(way, law):
                    _see_way(h, outlets, element(outlets.i, link), left, c, row, at)
                # Computed once more, rather than kept for each link of a site.
                if element(guessed, law):
                    row[at.guess] = guess(law, row)
                value = arriving(law, row)
                outlets.memory[np.uint64(link)] = value
                h[np.uint64(element(outlets.target, state * len(outlets.i) + link))] = value

    return set_outlets


def _make_formula(name, d):
    """The formulas of this name, of all kinds: called with the number of a kind and a row of numbers."""

    @intrinsic
    def formula(typingctx, law, row):
        def codegen(context, builder, sig, args):
            data = context.make_array(sig.args[1])(context, builder, args[1]).data
            machine, integer = Instructions(builder, ir.DoubleType()), ir.IntType(64)
            result = cgutils.alloca_once_value(builder, machine.constant(0.0))
            end = builder.append_basic_block("end")
            # A branch for each kind, not a table of functions: formulas are optimised together with the loop around.
            choice = builder.switch(args[0], end)
            for number, face in enumerate(open_faces()):
                block = builder.append_basic_block(face.__name__)
                choice.add_case(args[0].type(number), block)
                builder.position_at_end(block)
                places = range(Places.of(d).size)
                values = [Plain(machine, builder.load(builder.gep(data, [integer(place)]))) for place in places]
                builder.store(value_of(machine, on_row(name, face, d, values)), result)
                builder.branch(end)
            builder.position_at_end(end)
            return builder.load(result)

        return types.float64(law, row), codegen

    return formula


@helper
def _moments(h, places, left, shift, c, row, begin, with_velocity):
    """Excess density and, with `with_velocity`, velocity of what has left a site, or the one `shift` away from it."""
    excess = 0.0
    for i in range(len(c)):
        excess += np.float64(element(h, element(places, left + i) + shift))
    row[begin] = excess
    if with_velocity:
        for axis in range(c.shape[1]):
            momentum = 0.0
            for i in range(len(c)):
                momentum += c[i, axis] * np.float64(element(h, element(places, left + i) + shift))
            row[begin + 1 + axis] = momentum / (1.0 + excess)


@helper
def _known(h, places, left, c, row, begin):
    """Excess density and momentum of what has arrived at a site by other ways than its open outlets."""
    for k in range(1 + c.shape[1]):
        row[begin + k] = 0.0
    for i in range(len(c)):
        place = element(places, left + i)
        if place >= 0:
            value = np.float64(element(h, place))
            row[begin] += value
            for axis in range(c.shape[1]):
                row[begin + 1 + axis] += c[i, axis] * value


@helper
def _see_link(h, outlets, link, state, w, row, at):
    """Write what formulas take of a link into the row."""
    row[at.w] = element(w, element(outlets.i, link))
    row[at.inner] = element(h, element(outlets.inner, state * len(outlets.i) + link))
    row[at.memory] = element(outlets.memory, link)


@helper
def _see_way(h, outlets, i, left, c, row, at):
    """Write its velocity, and what left the site the other way, into the row."""
    for axis in range(c.shape[1]):
        row[at.c + axis] = c[i, axis]
    # Lattices have velocities in pairs of opposites: 1 and 2, 3 and 4, …
    row[at.opposite] = element(h, element(outlets.left, left + (i + 1 if i % 2 == 1 else i - 1)))
