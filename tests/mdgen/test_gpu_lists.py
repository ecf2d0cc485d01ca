"""Neighbour lists that a GPU makes, against all pairs: the text of its kernels, run behind a stand-in."""

from __future__ import annotations

import numpy as np
import pytest

from mdgen.cells import cells
from mdgen.dynamics import Dynamics
from mdgen.kernels import gpu
from mdgen.neighbors import INNER_SKIN, OUTER_SKIN, spatial_order
from mdgen.tuning import Tuning
from tests.mdgen.liquid import faint, kob_andersen
from tests.shim import StandIn

CASES = {
    "liquid": dict(n=300, box=[6.3, 6.3, 6.3]),
    "gas": dict(n=203, box=[40.0, 40.0, 40.0]),
    "slab": dict(n=500, box=[5.0, 30.0, 7.0]),
    "smallest box": dict(n=64, box=[5.0, 5.0, 5.0]),
    "less than a chunk": dict(n=5, box=[6.0, 6.0, 6.0]),
    "one particle": dict(n=1, box=[6.0, 6.0, 6.0]),
}
ONE_BLOCK = pytest.mark.parametrize("one_block", [True, False], ids=["one_block", "many_blocks"])


def lists(dynamics: Dynamics, which: int) -> list[np.ndarray]:
    """The inner or outer lists of the first replica."""
    arrays, capacity = dynamics.engine._arrays, dynamics.engine._capacity
    first, length = sum(capacity[:which]), capacity[which]
    entries = arrays.entries[0].reshape(-1)[first * dynamics.n_particles :][: length * dynamics.n_particles]
    by_particle = entries.reshape(length // 4, dynamics.n_particles, 4).transpose(1, 0, 2).reshape(-1, length)
    return [row[:n] for row, n in zip(by_particle, arrays.count[0, which], strict=True)]


def made(device, one_block: bool, precision: str, position, species, box, cutoff, order) -> Dynamics:
    """A system [n, 3] that comes to these places in one step, so far that it makes all lists anew: by a block that has
    it to itself, or by many."""
    velocity = 0.45 * np.random.default_rng(9).choice([-1.0, 1.0], position.shape)
    given = ((position - velocity)[None], velocity[None], species, box, faint(cutoff), 1.0, precision)
    one = Dynamics(*given, order=order, device=device, tuning=Tuning(one_block=one_block))
    one.step(1)
    assert one.statistics["n_builds"] >= 2 and not len(one.blown_up())
    return one


def assert_whole(dynamics: Dynamics, species, box, cutoff) -> None:
    """Both lists hold what is certainly within their reach, nothing that is certainly not, and ascend."""
    order = dynamics.ensemble.order[0]
    ranked, kind = dynamics.position[0, order], species[order]
    d = ranked[:, None] - ranked
    distance = np.sqrt(((d - box * np.rint(d / box)) ** 2).sum(axis=-1))
    np.fill_diagonal(distance, np.inf)
    for which, skin in enumerate((INNER_SKIN, OUTER_SKIN)):
        gap = distance - cutoff[kind[:, None], kind] - skin
        for i, row in enumerate(lists(dynamics, which)):
            assert np.all(np.diff(row.astype(int)) > 0)
            assert set(np.flatnonzero(gap[i] < -1e-5)) <= set(row) <= set(np.flatnonzero(gap[i] < 1e-5))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@ONE_BLOCK
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_lists_hold_all_neighbours_in_ascending_order(case, one_block, precision):
    """At the first build, and after particles have wandered far from where their order followed space."""
    random, cutoff, box = np.random.default_rng(0), kob_andersen().cutoff, np.array(case["box"])
    position = random.random((case["n"], 3)) * box
    species = random.integers(0, 2, case["n"])
    order = spatial_order(position, box)
    for wander in (0.0, 2.0):
        position = position + wander * random.normal(size=position.shape)
        assert_whole(made(StandIn(), one_block, precision, position, species, box, cutoff, order), species, box, cutoff)


def drawn(seed: int):
    """Any system: its size, box, species, cutoffs, and whether it is a liquid, a gas, a cluster or a wire."""
    random = np.random.default_rng(seed)
    n_species, n = int(random.integers(1, 5)), int(random.integers(2, 400))
    cutoff = random.uniform(1.0, 3.0, (n_species, n_species))
    cutoff = (cutoff + cutoff.T) / 2
    box = 2 * cutoff.max() * random.uniform(1.0, random.choice([1.2, 3.0, 12.0]), 3)
    place = random.uniform(0, 1, (n, 3)) * box
    if seed % 2:  # a part of the box alone, over its faces
        width = np.minimum(box, random.uniform(1.0, 5.0)) if seed % 4 == 1 else np.array([box[0], 1.0, 1.0])
        place = random.uniform(-0.5, 0.5, (n, 3)) * width + random.choice([0.0, 0.5]) * box
    return place, random.integers(0, n_species, n), box, cutoff, random.permutation(n)


@ONE_BLOCK
@pytest.mark.parametrize("seed", range(16))
def test_lists_of_any_system_hold_all_neighbours_in_ascending_order(seed, one_block):
    """In no order in space; dense clusters need longer lists than were allocated first."""
    position, species, box, cutoff, order = drawn(seed)
    dynamics = made(StandIn(), one_block, ("float32", "float64")[seed // 2 % 2], position, species, box, cutoff, order)
    assert_whole(dynamics, species, box, cutoff)


@pytest.mark.parametrize("window", [32, 96])
def test_lists_of_more_particles_than_a_window_of_bits_hold_all_neighbours(window, monkeypatch):
    """The kernels for more than 65536 particles, on a few."""
    text = gpu.source(kob_andersen(), "float32")
    assert "const int WINDOW = 65536;" in text
    monkeypatch.setattr(gpu, "source", lambda *_: text.replace("WINDOW = 65536;", f"WINDOW = {window};"))
    monkeypatch.setattr(gpu, "NARROW", 100)
    box, cutoff, random = np.array([7.0, 6.0, 9.0]), kob_andersen().cutoff, np.random.default_rng(3)
    position, species = random.random((450, 3)) * box, random.integers(0, 2, 450)
    dynamics = made(StandIn(), False, "float32", position, species, box, cutoff, random.permutation(450))
    assert dynamics.engine._arrays.entries.dtype == np.uint32
    assert_whole(dynamics, species, box, cutoff)


@pytest.mark.parametrize("box", [[5.0, 5, 5], [15.06, 15.06, 15.06], [100.0, 5, 5], [5, 5, 100.0], [1e4, 1e4, 1e4]])
@pytest.mark.parametrize("n_particles", [1, 100, 4096])
def test_cells_are_as_wide_as_a_chunk_and_no_more_than_there_is_room_for(n_particles, box):
    (number,) = cells([box], n_particles, 3.8)
    assert number.dtype == np.int32 and number.min() >= 1
    assert number.prod() <= gpu.CELLS * n_particles
    edge = min((gpu.CHUNK * np.prod(box) / n_particles) ** (1 / 3), 3.8)
    assert np.all(number[:2] <= np.maximum(1, np.array(box[:2]) / (edge / 1.5)))
    if n_particles == 4096 and box[0] == 15.06:
        assert number.tolist() == [5, 5, 20]
