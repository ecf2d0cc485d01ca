"""Registry of obstacle shapes: one file, one family.

A family is a function of keyword parameters (plain numbers, words and lists, as TOML and JSON write them) that returns
a `Shape`: a solid body in units of its own size, about the origin, known by its signed distance. `placed.py` puts
shapes into a domain, `placement.py` draws where.
"""

from __future__ import annotations

from lbmgen.obstacles.shape import Shape
from runkit.registry import Registry

obstacle: Registry[Shape] = Registry("obstacle", "lbmgen.obstacles")
