"""Molecular dynamics of glass formers: isoconfigurational ensembles into one file.

`python -m mdgen` runs a case; `evaluate`, `propagate` and `isoconfigurational` are the same physics for NumPy arrays
(see `mdgen.api`). They are loaded at first use, so that importing the package compiles nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mdgen.api import Evaluation, evaluate, isoconfigurational, propagate

__all__ = ["Evaluation", "evaluate", "isoconfigurational", "propagate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mdgen import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
