"""Lattice-Boltzmann flow around obstacles: many cases, each on a group of ranks, into one file.

`python -m lbmgen` runs a set of cases; `simulate` is the same physics for NumPy arrays (see `lbmgen.api`). It is
loaded at first use, so that importing the package compiles nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lbmgen.api import Flow, simulate

__all__ = ["Flow", "simulate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from lbmgen import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
