"""The order in which a block takes two steps in one pass over its rows.

The odd step of a row needs the even ones of the rows beside it with their boundaries, and these the even ones of the
rows beside them; copies between the ends of a periodic first axis need the first and the last row.
"""

from __future__ import annotations

import numpy as np

from lbmgen.kernels import Copies, Region, Rows
from lbmgen.layout import CROSSED, STRAIGHT, Layout
from lbmgen.walls import Boundary

CACHE = 1 << 22  # bytes of populations up to which two passes are as fast


def in_one_pass(layout: Layout, region: Region, copies: Copies, boundary: Boundary) -> Rows:
    """The rows of a block; for a small one the order is empty, so that its steps go one by one."""
    n, links, outlets = layout.shape[0], boundary.links, boundary.outlets
    small = layout.lattice.q * layout.plane * layout.dtype.itemsize <= CACHE
    order = np.zeros((0, 2), np.int64) if small else _order(n)
    source, target, item = _copies(layout, copies, order)

    def starts(row: np.ndarray) -> np.ndarray:
        return np.searchsorted(row, np.arange(n + 1))

    return Rows(
        order=order,
        region=starts(layout.row(region.start)),
        links=starts(layout.row(links.target[STRAIGHT])),
        outlets=starts(layout.row(outlets.left[CROSSED, :, 0])),
        copies=np.searchsorted(item, np.arange(len(order) + 1)),
        source=source,
        target=target,
    )


def _order(n: int) -> np.ndarray:
    """Rows and parities [2 * n, 2]: the first and the last row, then an even step ahead of each odd one."""
    order = [(row, 0) for row in sorted({0, n - 1})]
    for row in range(n):
        if 0 < row + 1 < n - 1:
            order.append((row + 1, 0))
        if row > 0:
            order.append((row - 1, 1))
    return np.array([*order, (n - 1, 1)], np.int64)


def _copies(layout: Layout, copies: Copies, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Copies after an even step, and the items of the order that they follow: of their row, or of the last row."""
    source, target = copies.source[CROSSED], copies.target[CROSSED]
    if not len(order):
        return source[:0], target[:0], source[:0]
    row, n = layout.row(source), layout.shape[0]
    within = (layout.row(target) == row) & (row >= 0) & (row < n)
    item_of_row = np.empty(n, np.int64)
    even = np.flatnonzero(order[:, 1] == 0)
    item_of_row[order[even, 0]] = even
    item = np.where(within, item_of_row[np.clip(row, 0, n - 1)], item_of_row[n - 1])
    place = np.lexsort((~within, item))  # within the last row first
    return source[place], target[place], item[place]
