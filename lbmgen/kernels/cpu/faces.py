"""Boundaries after a step: walls with the force on bodies, and outlets.

Forces are summed as integers of 2**-48, so that their sum does not depend on the order of links, nor on how a body is
shared out to ranks. What no flow shows is counted instead: the force is no number then. Tables are read without the
test for negative numbers that subscripts make, which would take as long as the rest.
"""

import numpy as np

from lbmgen.boundaries.outlet import CONVECTIVE
from runkit.simd.compiled import helper, part
from runkit.simd.lanes import peek

UNIT = 2.0**48  # force quanta in one lattice unit
LARGEST = 8.0  # of what a link exchanges: thousands of links add up without overflow
ANCHOR = 0.01  # share of a deviation of density that a convective outlet takes away each step; more would reflect sound


@part
def walls(h, links, begin, end, state, clock, tally):
    """What comes back from some walls, whose motion is scaled by `clock`.

    `tally` [n_bodies, d + 1] gains what bodies take, and in its last column the number of links that blew up.
    """
    target, first, second = links.target[state], links.first[state], links.second[state]
    exchange, axes = links.exchange, links.exchange.shape[1]
    for k in range(begin, end):
        left = peek(h, peek(first, k))
        back = peek(links.a, k) * left + peek(links.b, k) * peek(h, peek(second, k)) + peek(links.constant, k) * clock
        h[np.uint64(peek(target, k))] = back
        measured = False
        for axis in range(axes):
            measured |= exchange[k, axis] != 0
        if measured:
            _take(exchange[k], np.float64(left) + back, tally[links.body[k]])


@helper
def _take(exchange, taken, tally):
    """A body takes what a link exchanges; `tally` [d + 1] is that of the body."""
    sound = abs(taken) <= LARGEST
    quanta = np.int64(np.rint(taken * UNIT)) if sound else 0
    for axis in range(exchange.size):
        if exchange[axis] != 0:
            tally[axis] += exchange[axis] * quanta
            tally[exchange.size] += 0 if sound else 1


@part
def keep(h, kept, begin, end, state):
    """Some sites give back at rest what walls between sites have let in, by interpolating, beyond what left."""
    for site in range(begin, end):
        gained = 0.0
        for link in range(kept.start[site], kept.start[site + 1]):
            gained += np.float64(h[kept.arrived[state, link]]) - np.float64(h[kept.left[state, link]])
        h[kept.rest[site]] = np.float64(h[kept.rest[site]]) - gained


@part
def outlets(h, faces, begin, end, state, c, w):
    """What enters through open faces at some sites; `c` [q, d], `w` [q]."""
    q = len(w)
    for site in range(begin, end):
        left, excess = (state * len(faces.law) + site) * q, 0.0
        for i in range(q):
            excess += np.float64(peek(h, peek(faces.left, left + i)))
        if peek(faces.law, site) == CONVECTIVE:
            _carry_out(h, faces, site, state, excess, w)
        else:
            _hold_pressure(h, faces, site, state, excess, c, w)


@part
def _carry_out(h, faces, site, state, excess, w):
    density, speed = np.float64(peek(faces.density, site)), np.float64(peek(faces.speed, site))
    of_state = state * len(faces.i)
    for link in range(peek(faces.start, site), peek(faces.start, site + 1)):
        inner = peek(h, peek(faces.inner, of_state + link))
        arriving = (peek(faces.memory, link) + speed * inner) / (1.0 + speed)
        arriving -= ANCHOR * peek(w, peek(faces.i, link)) * (1.0 + excess - density)
        _enter(h, faces, link, state, arriving)


@part
def _hold_pressure(h, faces, site, state, excess, c, w):
    left, d = faces.left[state, site], c.shape[1]
    velocity, square = np.zeros(d), 0.0
    for axis in range(d):
        for i in range(len(w)):
            velocity[axis] += c[i, axis] * np.float64(h[left[i]])
        velocity[axis] /= 1.0 + excess
        square += velocity[axis] * velocity[axis]
    for link in range(faces.start[site], faces.start[site + 1]):
        i, along = faces.i[link], 0.0
        for axis in range(d):
            along += c[i, axis] * velocity[axis]
        shape = 1.0 + 4.5 * along * along - 1.5 * square
        opposite = i + 1 if i % 2 == 1 else i - 1
        _enter(h, faces, link, state, 2.0 * w[i] * (faces.density[site] * shape - 1.0) - h[left[opposite]])


@helper
def _enter(h, faces, link, state, arriving):
    faces.memory[np.uint64(link)] = arriving
    h[np.uint64(peek(faces.target, state * len(faces.i) + link))] = arriving
