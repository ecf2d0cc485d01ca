"""The program that a configuration file is for, by tables that belong to one program alone: for messages of others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

OWN_TABLES: Mapping[str, Collection[str]] = MappingProxyType(
    {
        "python -m mdgen": ("system", "integrator", "production", "label"),
        "python -m lbmgen": ("grid", "flow", "collision", "boundaries", "obstacles", "frames"),
        "python dtrain/train.py": ("model", "data", "loss", "phase", "campaign"),
    }
)


def owner(tables: Collection[str]) -> str:
    """The program of whose tables there are some; "" if it is none, or not one alone."""
    owners = [program for program, own in OWN_TABLES.items() if set(own) & set(tables)]
    return owners[0] if len(owners) == 1 else ""
