"""The compiled step: packed instructions, whatever the law and the lattice."""

import platform
import re

import numpy as np
import pytest
from numba import njit

from lbmgen.collisions import collision
from lbmgen.kernels.cpu.strided import copy_strided, strided_copies
from lbmgen.kernels.cpu.sweep import make_sweep
from lbmgen.lattices import LATTICES
from lbmgen.layout import LINE, Layout

# Arithmetic of vectors, and of single numbers, as kinds of processor write it.
PACKED = {
    "x86_64": r"\bv(?:add|sub|mul|div|sqrt|fn?m(?:add|sub)\d+)p[sd]\s",
    "aarch64": r"\bf(?:add|sub|mul|div|sqrt|ml[as])\s+v",
}
SINGLE = {
    "x86_64": r"\bv(?:add|sub|mul|div|sqrt|fn?m(?:add|sub)\d+)s[sd]\s",
    "aarch64": r"\bfn?(?:add|sub|mul|div|sqrt|m(?:add|sub))\s+[sd]\d",
}


@pytest.mark.skipif(platform.machine() not in PACKED, reason="how this kind of processor writes them is not known")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", collision.names())
@pytest.mark.parametrize("lattice", ["D2Q9", "D3Q19"])
def test_all_arithmetic_of_a_site_is_packed(lattice, law, dtype):
    """Scalar instructions only prepare numbers that all sites share, and are a small part."""
    of, law = LATTICES[lattice], collision.build(law)
    layout = Layout(of, (4,) * of.d, dtype)
    sweep = njit(error_model="numpy")(make_sweep(of, law, False).py_func)
    numbers = tuple(np.dtype(dtype).type(value) for value in law.rates(0.8))
    region = layout.region(*((0, 4),) * of.d)
    sweep(layout.allocate(), region, 0, len(region.start), layout.places()[0], numbers)
    (assembly,) = sweep.inspect_asm().values()
    packed, scalar = (len(re.findall(each[platform.machine()], assembly)) for each in (PACKED, SINGLE))
    assert packed > 3 * of.q
    assert scalar < 0.25 * packed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 8), (64, 64), (3, 4, 9)])
def test_rows_start_on_cache_lines_and_planes_do_not_meet_in_the_cache(shape, dtype):
    """The first site of each row is aligned; no two planes start at the same place of a page."""
    layout = Layout(LATTICES["D2Q9" if len(shape) == 2 else "D3Q19"], shape, dtype)
    h, size = layout.allocate(), np.dtype(dtype).itemsize
    assert h.ctypes.data % LINE == 0 and layout.plane * size % LINE == 0
    rows = layout.region(*((0, n) for n in shape)).start
    assert (rows * size % LINE == 0).all()
    starts = [i * layout.plane * size % 4096 for i in range(layout.lattice.q)]
    assert len(set(starts)) == layout.lattice.q


@pytest.mark.parametrize("shape", [(3, 5), (4, 16), (3, 2, 9)])
def test_a_sweep_stays_within_its_plane(shape):
    """Reads and writes of the last vector of any row, at either parity, are inside the array."""
    layout = Layout(LATTICES["D2Q9" if len(shape) == 2 else "D3Q19"], shape, "float32")
    region = layout.region(*((0, n) for n in shape))
    for places in layout.places():
        first = region.start[:, None] + np.array(places)
        last = first + 8 * region.n_vectors[:, None] - 1
        assert first.min() >= 0 and last.max() < layout.allocate().size


@pytest.mark.parametrize("shape", [(3, 5), (4, 16), (3, 2, 9)])
def test_no_place_is_touched_by_two_sites(shape):
    """Nor by sites beyond the ends of rows: so a sweep may go in any order."""
    layout = Layout(LATTICES["D2Q9" if len(shape) == 2 else "D3Q19"], shape, "float32")
    region = layout.region(*((0, n) for n in shape))
    for places in layout.places():
        vectors = region.start[:, None] + 8 * np.arange(region.n_vectors[0])
        touched = vectors[..., None, None] + np.arange(8)[:, None] + np.array(places)
        assert np.unique(touched).size == touched.size


def test_runs_move_what_single_moves_would():
    """Contiguous, strided and lone moves, cut at given places."""
    source = np.array([5, 6, 7, 8, 20, 30, 40, 3, 50, 51])
    target = np.array([10, 11, 12, 13, 100, 107, 114, 2, 60, 62])
    runs, first = strided_copies(source, target, [0, 2, 10])
    contiguous, strided = [[5, 10, 2, 1, 1], [7, 12, 2, 1, 1]], [20, 100, 3, 10, 7]
    rest = [[3, 2, 2, 47, 58], [51, 62, 1, 1, 1]]
    assert runs.tolist() == [*contiguous, strided, *rest]
    assert first.tolist() == [0, 1, 5]
    h, moved = np.arange(120.0), np.arange(120.0)
    moved[target] = h[source]
    njit(lambda h, runs: copy_strided(h, h, runs, 0, len(runs)))(h, runs)
    assert np.array_equal(h, moved)
