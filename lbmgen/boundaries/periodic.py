"""Periodic: what leaves through one face enters through the opposite one."""

from __future__ import annotations

from dataclasses import dataclass

from lbmgen.boundaries import boundary


@boundary("periodic")
@dataclass(frozen=True)
class Periodic:
    """To be given for both faces of an axis."""

    kind = "PERIODIC"
    priority = 9
