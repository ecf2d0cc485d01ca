"""Free slip: a mirror half-way between sites, which takes no momentum along itself."""

from __future__ import annotations

from dataclasses import dataclass

from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import MIRROR, Face


@boundary("free-slip")
@dataclass(frozen=True)
class FreeSlip(Face):
    """Populations are reflected; at an edge with another kind of face, that one holds."""

    way = MIRROR
    priority = 4
    may_touch = True
