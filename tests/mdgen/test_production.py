"""Sharing out replicas: every rank gets work where there is enough, every replica is run once."""

from __future__ import annotations

from itertools import chain

import pytest

from mdgen.production import GROUP_SIZES
from mdgen.trajectory import form_groups, halves


@pytest.mark.parametrize("n_samples, n_replicas, n_ranks", [(1, 32, 4), (3, 20, 1), (2, 9, 64), (5, 32, 5), (4, 1, 3)])
@pytest.mark.parametrize("sizes", [GROUP_SIZES, halves(528)])
def test_every_replica_is_in_one_group(n_samples, n_replicas, n_ranks, sizes):
    """Groups are a partition of the pending replicas."""
    lists = [[(sample, replica) for replica in range(n_replicas)] for sample in range(n_samples)]
    groups = form_groups(lists, n_ranks, sizes)
    assert sorted(unit for group in groups for unit in group) == sorted(chain(*lists))


def test_groups_are_as_large_as_the_ranks_allow():
    """32 replicas: one group for one rank, two for two; on the CPU no smaller than eight."""
    sizes = {n: [len(group) for group in form_groups([list(range(32))], n, GROUP_SIZES)] for n in (1, 2, 3, 64)}
    assert sizes == {1: [32], 2: [16, 16], 3: [8] * 4, 64: [8] * 4}
    assert [len(group) for group in form_groups([list(range(100))], 3, halves(64))] == [32, 32, 32, 4]
    assert halves(5) == [5, 2, 1]


def test_replicas_that_stand_at_different_times_are_not_mixed():
    """Lists stay apart: only replicas at the same time can advance together."""
    assert form_groups([[0, 3], [1, 2]], 1, GROUP_SIZES) == [[0, 3], [1, 2]]
