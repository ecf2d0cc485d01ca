"""Molecular dynamics of glass formers: isoconfigurational ensembles into one file.

`python -m mdgen` runs a case. The same physics for NumPy arrays: `evaluate`, `mechanics`, `inherent_position`,
`propagate`, `follow`, `isoconfigurational`, `trajectories` (see `mdgen.api`); `read` gives the configurations of a file
(see `mdgen.formats`). They are loaded at first use, so that importing the package compiles nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mdgen.api import (
        Evaluation,
        evaluate,
        follow,
        inherent_position,
        isoconfigurational,
        mechanics,
        propagate,
        trajectories,
    )
    from mdgen.formats import read

__all__ = [
    "Evaluation",
    "evaluate",
    "follow",
    "inherent_position",
    "isoconfigurational",
    "mechanics",
    "propagate",
    "read",
    "trajectories",
]

_PLACES = dict.fromkeys(__all__, "mdgen.api") | {"read": "mdgen.formats"}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
