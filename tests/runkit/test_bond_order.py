"""Crystals are told from liquids."""

from __future__ import annotations

import numpy as np
import pytest

from runkit.dataset.bond_order import crystalline_fraction

BASES = {"fcc": [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], "bcc": [[0, 0, 0], [0.5, 0.5, 0.5]]}


def crystal(kind: str, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions and box of n^3 cells of density 1.2, displaced by `noise` along each axis."""
    cells, basis = np.indices((n, n, n)).reshape(3, -1).T, np.array(BASES[kind])
    edge = (len(basis) / 1.2) ** (1 / 3)
    position = (cells[:, None] + basis).reshape(-1, 3) * edge
    return position + np.random.default_rng(0).normal(0, noise, position.shape), np.full(3, n * edge)


@pytest.mark.parametrize("kind", BASES)
def test_crystals_are_crystalline_also_when_they_vibrate(kind):
    position, box = crystal(kind, 6, noise=0.06)
    assert crystalline_fraction(position, box) > 0.95
    assert crystalline_fraction(position + 3 * box, box) == crystalline_fraction(position, box)


def test_a_crystal_in_any_units_and_orientation_is_crystalline():
    position, box = crystal("fcc", 6, noise=0.03)
    assert crystalline_fraction(7 * position[:, [2, 0, 1]], 7 * box) > 0.95


def test_disorder_is_not_crystalline():
    """Random places, and a crystal that has been shaken to pieces."""
    box = np.full(3, 11.0)
    assert crystalline_fraction(np.random.default_rng(1).random((1600, 3)) * box, box) < 0.02
    position, box = crystal("fcc", 6, noise=0.35)
    assert crystalline_fraction(position, box) < 0.02


def test_particles_that_coincide_have_no_bond_and_the_others_keep_theirs():
    """A damaged file may hold two particles in one place, also across the boundary: a number, and no warning."""
    position, box = crystal("fcc", 6, noise=0.03)
    moved = position.copy()
    moved[0], moved[2] = moved[1], moved[3] + box
    with np.errstate(all="raise"):
        assert crystalline_fraction(moved, box) > 0.95
        assert crystalline_fraction(np.repeat(position[:1], 20, axis=0), box) == 0
