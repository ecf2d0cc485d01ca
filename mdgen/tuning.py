"""How a GPU goes about its work; no bit of any result depends on it. `tools` measure with it which choice is fastest.

Units: lengths of the potential.
"""

from __future__ import annotations

from typing import NamedTuple

from mdgen.neighbors import INNER_SKIN, OUTER_SKIN


class Tuning(NamedTuple):
    """`one_block`: whether a block of `threads` has a replica to itself, or many blocks share each replica (see
    `mdgen.kernels.gpu.Kernels`; None: as it suits the device). How far lists reach beyond the cutoff."""

    one_block: bool | None = None
    threads: int | None = None
    inner_skin: float = INNER_SKIN
    outer_skin: float = OUTER_SKIN


DEFAULT = Tuning()
