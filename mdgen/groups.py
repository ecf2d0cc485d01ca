"""Who advances what: units of work shared out to ranks, and those of a rank in groups that advance together.

A trajectory does not depend on its group, so groups only decide how fast a run is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple, TypeVar

from runkit.mpi import share

Unit = TypeVar("Unit")


class GroupSize(NamedTuple):
    """Units that advance together: `least` where that gives more ranks work, otherwise up to `most`."""

    least: int
    most: int


def form_groups(lists: Sequence[Sequence[Unit]], size: GroupSize, rank: int, n_ranks: int) -> list[list[Unit]]:
    """What `rank` does: its share of pieces of `size.least` units, joined within their list into even groups."""
    pieces = [
        (i_list, units[first : first + size.least])
        for i_list, units in enumerate(lists)
        for first in range(0, len(units), size.least)
    ]
    mine = (pieces[i] for i in share(len(pieces), rank, n_ranks))
    groups: list[list[Unit]] = []
    for _, of_one_list in groupby(mine, key=itemgetter(0)):
        joined = [piece for _, piece in of_one_list]
        n_groups = -(-len(joined) * size.least // size.most)
        parts = (share(len(joined), i, n_groups) for i in range(n_groups))
        groups += [list(chain(*joined[part.start : part.stop])) for part in parts]
    return groups
