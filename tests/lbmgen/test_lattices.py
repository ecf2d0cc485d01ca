"""Lattices: what the method needs of velocities and weights."""

from itertools import product

import numpy as np
import pytest

from lbmgen.lattices import CS2, LATTICES, lattice
from runkit.errors import UserError


@pytest.fixture(params=LATTICES)
def one(request):
    return lattice(request.param)


def test_names_say_dimensions_and_number_of_velocities(one):
    assert one.name == f"D{one.d}Q{one.q}" and len(set(one.c)) == one.q == len(one.w)


def pairings(delta, axes):
    """Sum over all ways to pair `axes` of products of delta; 0 for an odd number of them."""
    if len(axes) < 2:
        return 1 - len(axes)
    first, *rest = axes
    return sum(delta[first, rest[k]] * pairings(delta, rest[:k] + rest[k + 1 :]) for k in range(len(rest)))


def test_moments_of_the_weights_are_isotropic_up_to_the_fifth_order(one):
    """Sum w = 1, w c c = cs² δ, w c c c c = cs⁴ (δδ + δδ + δδ); odd moments vanish."""
    c, w, delta = np.array(one.c), np.array(one.w), np.eye(one.d)
    for order in range(6):
        for axes in product(range(one.d), repeat=order):
            found = (w * np.prod(c[:, list(axes)], axis=1)).sum()
            assert found == pytest.approx(CS2 ** (order // 2) * pairings(delta, axes), abs=1e-15), axes


def test_rest_comes_first_and_opposites_stand_side_by_side(one):
    assert one.c[0] == (0,) * one.d and one.opposite[0] == 0
    for i, o in one.pairs():
        assert one.opposite[i] == o and one.opposite[o] == i
        assert tuple(-v for v in one.c[i]) == one.c[o]
    assert sorted(k for pair in one.pairs() for k in pair) == list(range(1, one.q))


def test_a_mirror_turns_one_component(one):
    for i, axis in product(range(one.q), range(one.d)):
        expected = [-v if a == axis else v for a, v in enumerate(one.c[i])]
        assert list(one.c[one.mirrored(i, axis)]) == expected


def test_an_unknown_lattice_is_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"did you mean 'D3Q19'.*known: D2Q9, D3Q19, D3Q27"):
        lattice("D3Q18")
