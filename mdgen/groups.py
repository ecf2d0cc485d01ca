"""Work sharing: units of work shared out to ranks, and those of a rank in groups that advance together.

A trajectory does not depend on its group, so groups only decide how fast a run is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple, TypeVar

from runkit.mpi import share

Unit = TypeVar("Unit", int, tuple[int, int])  # a sample, or a sample and a replica


class GroupSize(NamedTuple):
    """Units that advance together: `least` where that gives more ranks work, otherwise up to `most`."""

    least: int
    most: int


def form_groups(lists: Sequence[Sequence[Unit]], size: GroupSize, n_ranks: int) -> list[list[list[Unit]]]:
    """Of each rank, its groups: a share of all pieces of `size.least` units, joined within their list evenly."""
    pieces = [
        (i_list, units[first : first + size.least])
        for i_list, units in enumerate(lists)
        for first in range(0, len(units), size.least)
    ]
    return [_joined([pieces[i] for i in share(len(pieces), rank, n_ranks)], size) for rank in range(n_ranks)]


def _joined(pieces: Sequence[tuple[int, Sequence[Unit]]], size: GroupSize) -> list[list[Unit]]:
    """Groups of pieces, each with the number of its list."""
    groups: list[list[Unit]] = []
    for _, of_one_list in groupby(pieces, key=itemgetter(0)):
        units = [piece for _, piece in of_one_list]
        n_groups = -(-len(units) // (size.most // size.least))
        parts = (share(len(units), i, n_groups) for i in range(n_groups))
        groups += [list(chain(*units[part.start : part.stop])) for part in parts]
    return groups
