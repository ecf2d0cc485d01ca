"""Registry of interaction laws: one file, one name.

A law is a function of keyword parameters that returns a `PairPotential`.
"""

from __future__ import annotations

from mdgen.potentials.pair import PairPotential
from runkit.registry import Registry

potential: Registry[PairPotential] = Registry("potential", "mdgen.potentials")
