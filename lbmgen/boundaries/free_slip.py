"""Free slip: a mirror half-way between sites, which takes no momentum along itself."""

from __future__ import annotations

from dataclasses import dataclass

from lbmgen.boundaries import boundary


@boundary("free-slip")
@dataclass(frozen=True)
class FreeSlip:
    """Populations are reflected; at an edge with another kind of face, that one holds."""

    kind = "WALL"
    priority = 4
