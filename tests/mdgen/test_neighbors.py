"""Neighbour lists against all pairs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mdgen.kernels import cpu
from mdgen.neighbors import INNER_SKIN, NeighborList, spatial_order

CUTOFF = np.array([[2.5, 2.0], [2.0, 2.2]])
CASES = {
    "liquid": dict(n=300, box=[6.3, 6.3, 6.3], spread=0.1),
    "replicas far apart": dict(n=250, box=[6.0, 6.0, 6.0], spread=3.0),
    "gas": dict(n=203, box=[40.0, 40.0, 40.0], spread=0.3),
    "slab": dict(n=500, box=[5.0, 30.0, 7.0], spread=0.5),
    "smallest box": dict(n=64, box=[5.0, 5.0, 5.0], spread=0.2),
    "fewer particles than lanes": dict(n=5, box=[6.0, 6.0, 6.0], spread=0.2),
    "one particle": dict(n=1, box=[6.0, 6.0, 6.0], spread=0.2),
}


def made(case, replicas, seed=0):
    """A list, the positions in its lanes [n_replicas, n, 3] and the species."""
    random = np.random.default_rng(seed)
    n, box = case["n"], np.array(case["box"])
    n_replicas = cpu.LANES if replicas else 1
    position = random.random((n, 3)) * box + case["spread"] * random.normal(size=(n_replicas, n, 3))
    species = random.integers(0, 2, n).astype(np.int32)
    neighbors = NeighborList(cpu, species, CUTOFF, box, replicas, Counter())
    neighbors.refresh(places(position, box, replicas))
    return neighbors, position, species, box


def places(position, box, replicas):
    if replicas:
        flat = np.ascontiguousarray(position.transpose(1, 2, 0)).ravel()
    else:
        padded = np.pad(position[0], ((0, -position.shape[1] % cpu.LANES), (0, 0)))
        flat = np.ascontiguousarray(padded.reshape(-1, cpu.LANES, 3).transpose(0, 2, 1)).ravel()
    coordinate = np.empty(flat.size, np.int32)
    cpu.locate(flat, 2.0**32 / box, coordinate)
    return coordinate


def near(position, species, box, skin):
    """Whether particles [n, n] are within cutoff and skin of each other in any replica."""
    d = position[:, :, None] - position[:, None]
    d -= box * np.rint(d / box)
    return (np.sqrt((d**2).sum(axis=-1)) < CUTOFF[species[:, None], species] + skin).any(axis=0)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_replicas_share_the_union_of_their_lists(case):
    """Row i holds, in ascending order, the j > i within reach in any replica, and nothing else."""
    neighbors, position, species, box = made(case, replicas=True)
    certain, possible = (near(position, species, box, INNER_SKIN + sign * 1e-5) for sign in (-1, 1))
    start, entry = neighbors.inner
    for i in range(case["n"]):
        row = entry[start[i] : start[i + 1]]
        assert np.all(np.diff(row) > 0) and np.all(row > i)
        assert set(np.flatnonzero(certain[i, i + 1 :]) + i + 1) <= set(row) <= set(np.flatnonzero(possible[i]))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rows_of_one_replica_hold_all_neighbours_of_their_particles(case):
    """Every particle is in a row, whose entries are those within reach of any of its particles."""
    neighbors, position, species, box = made(case, replicas=False)
    certain, possible = (near(position, species, box, INNER_SKIN + sign * 1e-5) for sign in (-1, 1))
    start, entry = neighbors.inner
    members = neighbors.clusters.particle.reshape(-1, cpu.LANES)
    assert set(members.ravel()) == set(range(case["n"]))
    for k, member in enumerate(members):
        row = entry[start[k] : start[k + 1]]
        assert np.all(np.diff(row) > 0)
        listed = set(np.flatnonzero(certain[member].any(axis=0)))
        assert listed <= set(row) <= set(np.flatnonzero(possible[member].any(axis=0)))


@pytest.mark.parametrize("replicas", [True, False])
def test_a_list_covers_less_than_the_skin_and_no_more(replicas):
    """Two particles of one replica may approach by the skin together; moves in different replicas do not add up."""
    neighbors, position, _, box = made(CASES["liquid"], replicas)
    moved = position.copy()
    moved[0, :2, 0] += 0.49 * INNER_SKIN
    assert neighbors.is_valid(places(moved, box, replicas))
    moved[0, 0, 0] += 0.03 * INNER_SKIN
    assert not neighbors.is_valid(places(moved, box, replicas))
    if replicas:
        moved = position.copy()
        moved[0, 0, 0] += 0.9 * INNER_SKIN
        moved[1, 1, 0] += 0.9 * INNER_SKIN
        assert neighbors.is_valid(places(moved, box, replicas))


@pytest.mark.parametrize("replicas", [True, False])
def test_a_list_follows_particles_that_wander(replicas):
    """After many small moves, each of them listed for, all pairs are still there."""
    neighbors, position, species, box = made(CASES["slab"], replicas)
    random = np.random.default_rng(1)
    for _ in range(40):
        position = position + 0.08 * random.normal(size=position.shape)
        coordinate = places(position, box, replicas)
        if not neighbors.is_valid(coordinate):
            neighbors.refresh(coordinate)
    start, entry = neighbors.inner
    wanted = near(position, species, box, 0.0)
    cluster_of = neighbors.clusters.particle.reshape(-1, cpu.LANES)
    for k in range(len(start) - 1):
        listed = set(entry[start[k] : start[k + 1]])
        lowest = cluster_of[k, 0] + 1 if replicas else 0
        assert {j for j in np.flatnonzero(wanted[cluster_of[k]].any(axis=0)) if j >= lowest} <= listed
    assert neighbors.count["n_builds"] > 1 and neighbors.count["dangerous_builds"] == 0


def test_an_order_in_space_is_an_order_of_all():
    """It is a permutation, and consecutive particles are close."""
    box = np.array([8.0, 12.0, 10.0])
    position = np.random.default_rng(0).random((1000, 3)) * box + 5 * box
    order = spatial_order(position, box)
    assert np.array_equal(np.sort(order), np.arange(1000))
    step = np.diff(position[order], axis=0)
    step -= box * np.rint(step / box)
    assert np.median(np.linalg.norm(step, axis=1)) < 2.0
