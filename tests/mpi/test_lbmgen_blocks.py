"""One domain on several ranks is the domain on one, bit by bit."""

import math
from pathlib import Path

import pytest

from lbmgen.decomposition import LEAST, Decomposition, grids
from runkit.errors import UserError

BLOCKS = Path(__file__).with_name("blocks.py")


@pytest.mark.parametrize(("n_ranks", "way"), [(2, "step"), (2, "pass"), (3, "mixed"), (4, "step"), (4, "pass")])
def test_a_flow_has_the_same_bits_in_every_grid_of_blocks(mpiexec, n_ranks, way):
    """Density, velocity, force on bodies: two and three dimensions, all kinds of faces, forces, both precisions.

    Step by step, two steps in one pass over the rows of slabs, and one kind beside the other.
    """
    done = mpiexec(n_ranks, BLOCKS, way)
    assert done.returncode == 0, done.stderr
    n_flows = int(done.stdout.split()[0])
    assert n_flows >= 3 * 4 * (2 if n_ranks == 2 else 1)


@pytest.mark.parametrize("way", ["staged", "direct"])
def test_a_flow_has_the_same_bits_in_blocks_on_a_gpu(mpiexec, way):
    """Halos are packed and unpacked by kernels, and travel through copies or as they are."""
    done = mpiexec(2, BLOCKS, way)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 2 * 4 * 2


def test_blocks_cover_the_domain_once():
    for shape, n_ranks, unit in (((24, 35), 4, 1), ((16, 12, 20), 6, 2), ((64, 40), 3, 4)):
        decomposition = Decomposition.best(shape, n_ranks, unit)
        assert decomposition.n_blocks == n_ranks
        covered = 0
        for rank in range(n_ranks):
            origin, size = decomposition.block(rank)
            assert not any(number % unit for number in (*origin, *size)) and min(size) >= LEAST
            covered += math.prod(size)
        assert covered == math.prod(shape)


def test_neighbours_are_mutual():
    decomposition = Decomposition((40, 40), (3, 2))
    for rank in range(6):
        for axis in (0, 1):
            for side in (-1, 1):
                other = decomposition.neighbour(rank, axis, side, periodic=True)
                assert decomposition.neighbour(other, axis, -side, periodic=True) == rank
    assert decomposition.neighbour(0, 0, -1, periodic=False) is None


def test_thick_slabs_are_best_else_the_least_surface_between_blocks():
    assert Decomposition.best((128, 512), 4).grid == (4, 1)
    assert Decomposition.best((120, 120), 4).grid == (2, 2)
    assert Decomposition.best((60, 60), 2).grid == (2, 1)
    assert Decomposition.best((64, 128, 128), 8).grid == (2, 2, 2)
    assert sorted(grids(6, 2)) == [(1, 6), (2, 3), (3, 2), (6, 1)]


def test_more_ranks_than_the_domain_can_take_are_refused():
    with pytest.raises(UserError, match="ranks_per_case = 9"):
        Decomposition.best((8, 8), 9)
