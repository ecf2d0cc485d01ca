"""Formulas of collision laws and open faces, tried before any work."""

from __future__ import annotations

from functools import cache

from lbmgen.boundaries.face import open_faces
from lbmgen.collisions import Collision
from lbmgen.kernels.open_faces import Places, needs_of, on_row
from lbmgen.lattices import Lattice
from runkit.formula.refusal import refused, require_value, require_values, symbols


@cache
def require_formulas(lattice: Lattice, law: Collision, forced: bool) -> None:
    """Raise UserError if no kernel can be made of a law, or of a kind of open face: a kernel has those of all kinds."""
    force = symbols(lattice.d) if forced else None
    with refused(f"collide of the collision law {type(law).__name__}", law.collide):
        require_values(law.collide(lattice, symbols(lattice.q), symbols(len(law.rates(1.0))), force), lattice.q)
    for face in open_faces():
        for name in ("guess", "arriving"):
            with refused(f"{name} of the open face {face.__name__}", getattr(face, name)):
                require_value(on_row(name, face, lattice.d, symbols(Places.of(lattice.d).size)))
        with refused(f"guess of the open face {face.__name__}", face.guess):
            needs_of(face, lattice.d)
