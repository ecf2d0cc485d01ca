"""Periodic: what leaves through one face enters through the opposite one."""

from __future__ import annotations

from dataclasses import dataclass

from lbmgen.boundaries import boundary
from lbmgen.boundaries.face import PERIODIC, Face


@boundary("periodic")
@dataclass(frozen=True)
class Periodic(Face):
    """To be given for both faces of an axis."""

    way = PERIODIC
    kind = "PERIODIC"
    may_touch = True
