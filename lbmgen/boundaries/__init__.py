"""Boundary conditions at the faces of the domain: one kind per file, registered by name.

A kind is a frozen dataclass of its parameters that builds on `Face` or, if it is open, on `Open` (`face.py`).
A face lies half a site outside the outermost sites.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runkit.registry import ClassRegistry

if TYPE_CHECKING:
    from lbmgen.boundaries.face import Face

boundary: ClassRegistry[Face] = ClassRegistry("boundary", "lbmgen.boundaries")
