"""Sharing out replicas: every rank gets work where there is enough, every replica is run once."""

from __future__ import annotations

import pytest

from mdgen.production import form_groups


@pytest.mark.parametrize("n_samples, n_replicas, n_ranks", [(1, 32, 4), (3, 20, 1), (2, 9, 64), (5, 32, 5), (4, 1, 3)])
def test_every_replica_is_in_one_group(n_samples, n_replicas, n_ranks):
    """Groups are a partition of the pending replicas."""
    groups = form_groups([[list(range(n_replicas))] for _ in range(n_samples)], n_ranks)
    found = sorted((sample, replica) for sample, replicas in groups for replica in replicas)
    assert found == [(sample, replica) for sample in range(n_samples) for replica in range(n_replicas)]


def test_groups_are_as_large_as_the_ranks_allow():
    """One sample of 32 replicas: one group for one rank, two for two, four of eight for three or more."""
    sizes = {n_ranks: [len(r) for _, r in form_groups([[list(range(32))]], n_ranks)] for n_ranks in (1, 2, 3, 64)}
    assert sizes == {1: [32], 2: [16, 16], 3: [8] * 4, 64: [8] * 4}


def test_replicas_that_stand_at_different_times_are_not_mixed():
    """Lists of one sample stay apart: only replicas at the same time can advance together."""
    assert form_groups([[[0, 3], [1, 2]]], 1) == [(0, [0, 3]), (0, [1, 2])]
