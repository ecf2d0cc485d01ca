"""Boundaries after a step: walls with the force on bodies, and outlets.

Forces are summed as integers of 2**-48, so that their sum does not depend on the order of links, nor on how a body is
shared out to ranks. What no flow shows is counted instead: the force is no number then.
"""

import numpy as np

from lbmgen.boundaries.outlet import CONVECTIVE
from runkit.simd.compiled import helper, part

UNIT = 2.0**48  # force quanta in one lattice unit
LARGEST = 8.0  # of what a link exchanges: thousands of links add up without overflow
ANCHOR = 0.01  # share of a deviation of density that a convective outlet takes away each step; more would reflect sound


@part
def walls(h, links, begin, end, state, clock, tally):
    """What comes back from some walls, whose motion is scaled by `clock`.

    `tally` [n_bodies, d + 1] gains what bodies take, and in its last column the number of links that blew up.
    """
    target, first, second = links.target[state], links.first[state], links.second[state]
    for k in range(begin, end):
        left = h[first[k]]
        back = links.a[k] * left + links.b[k] * h[second[k]] + links.constant[k] * clock
        h[target[k]] = back
        taken, axes = np.float64(left) + back, links.exchange.shape[1]
        sound = abs(taken) <= LARGEST
        quanta = np.int64(np.rint(taken * UNIT)) if sound else 0
        for axis in range(axes):
            if links.exchange[k, axis] != 0:
                tally[links.body[k], axis] += links.exchange[k, axis] * quanta
                tally[links.body[k], axes] += 0 if sound else 1


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
    for site in range(begin, end):
        left, excess = faces.left[state, site], 0.0
        for i in range(len(w)):
            excess += np.float64(h[left[i]])
        if faces.law[site] == CONVECTIVE:
            _carry_out(h, faces, site, state, excess, w)
        else:
            _hold_pressure(h, faces, site, state, excess, c, w)


@part
def _carry_out(h, faces, site, state, excess, w):
    inner, density, speed = faces.inner[state], np.float64(faces.density[site]), np.float64(faces.speed[site])
    for link in range(faces.start[site], faces.start[site + 1]):
        arriving = (faces.memory[link] + speed * h[inner[link]]) / (1.0 + speed)
        arriving -= ANCHOR * w[faces.i[link]] * (1.0 + excess - density)
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
    faces.memory[link] = arriving
    h[faces.target[state, link]] = arriving
