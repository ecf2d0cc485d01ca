"""Sharing out units: every rank gets work where there is enough, every unit is run once, ranks end together."""

from __future__ import annotations

from itertools import chain

import pytest

from mdgen.groups import GroupSize, form_groups
from mdgen.production import GROUP_SIZE

ON_A_GPU = GroupSize(1, 528)


@pytest.mark.parametrize("n_samples, n_replicas, n_ranks", [(1, 32, 4), (3, 20, 1), (2, 9, 64), (5, 32, 5), (4, 1, 3)])
@pytest.mark.parametrize("size", [GROUP_SIZE, ON_A_GPU, GroupSize(8, 20)])
def test_every_replica_is_in_one_group(n_samples, n_replicas, n_ranks, size):
    """Groups of all ranks are a partition of the pending replicas."""
    lists = [[(sample, replica) for replica in range(n_replicas)] for sample in range(n_samples)]
    groups = list(chain(*form_groups(lists, size, n_ranks)))
    assert sorted(unit for group in groups for unit in group) == sorted(chain(*lists))
    assert all(len(group) <= size.most for group in groups)


@pytest.mark.parametrize("n_ranks, lengths", [(1, [32]), (2, [16] * 2), (3, [8, 8, 16]), (64, [8] * 4)])
def test_groups_are_as_large_as_the_ranks_allow(n_ranks, lengths):
    """Of 32 replicas on the CPU, where a vector takes eight."""
    groups = chain(*form_groups([list(range(32))], GROUP_SIZE, n_ranks))
    assert sorted(map(len, groups)) == lengths


def test_a_share_too_large_for_one_group_is_cut_evenly():
    assert [len(group) for group in form_groups([list(range(1000))], ON_A_GPU, 1)[0]] == [500, 500]


def test_no_rank_has_more_than_one_piece_more_than_another():
    """100 samples of 32 replicas on 64 ranks."""
    lists = [[(sample, replica) for replica in range(32)] for sample in range(100)]
    lengths = {sum(map(len, groups)) for groups in form_groups(lists, GROUP_SIZE, 64)}
    assert lengths == {48, 56}


def test_units_of_different_lists_are_not_mixed():
    """Only replicas that stand at the same time can advance together."""
    assert form_groups([[0, 3], [1, 2]], GROUP_SIZE, 1) == [[[0, 3], [1, 2]]]
