"""Walls after a step, with the force on bodies, and the mass that they keep.

Forces are summed as integers of 2**-48, so that their sum does not depend on the order of links, nor on how a body is
shared out to ranks. Exchanges larger than in any flow are counted instead: the force is no number then. Tables are read
without the test for negative numbers that subscripts make, which would take as long as the rest.
"""

import numpy as np

from runkit.simd.lanes import element
from runkit.simd.parts import helper, part

UNIT = 2.0**48  # force quanta in one lattice unit
LARGEST = 8.0  # of what a link exchanges: thousands of links add up without overflow


@part
def walls(h, links, begin, end, state, scale, impulse):
    """What comes back from some walls, whose velocity at this step is `scale` times their own.

    `impulse` [n_bodies, d + 1] gains the momentum that bodies take and, in its last column, the number of links that
    blew up.
    """
    target, first, second = links.target[state], links.first[state], links.second[state]
    exchange, axes = links.exchange, links.exchange.shape[1]
    for k in range(begin, end):
        left = element(h, element(first, k))
        right, constant = element(h, element(second, k)), element(links.constant, k) * scale
        back = element(links.a, k) * left + element(links.b, k) * right + constant
        h[np.uint64(element(target, k))] = back
        # Links of faces have no body whose force is measured: they are spared the rounding.
        measured = False
        for axis in range(axes):
            measured |= exchange[k, axis] != 0
        if measured:
            _take(exchange[k], np.float64(left) + back, impulse[links.body[k]])


@helper
def _take(exchange, taken, impulse):
    """A body takes what a link exchanges; `impulse` [d + 1] is that of the body."""
    sound = abs(taken) <= LARGEST
    quanta = np.int64(np.rint(taken * UNIT)) if sound else 0
    for axis in range(exchange.size):
        if exchange[axis] != 0:
            impulse[axis] += exchange[axis] * quanta
            impulse[exchange.size] += 0 if sound else 1


@part
def keep(h, kept, begin, end, state):
    """Some sites give back at rest what walls between sites have let in, by interpolating, beyond what left."""
    for site in range(begin, end):
        gained = 0.0
        for link in range(kept.start[site], kept.start[site + 1]):
            gained += np.float64(h[kept.arrived[state, link]]) - np.float64(h[kept.left[state, link]])
        h[kept.rest[site]] = np.float64(h[kept.rest[site]]) - gained
