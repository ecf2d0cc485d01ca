"""Collision laws: one per file, registered by name.

A law is a frozen dataclass of its own parameters with

- `rates(tau)`: the numbers that a site needs, at relaxation time tau = 3 nu + 1/2
- `collide(lattice, h, rates, force)`: populations [q] after the collision; `force` is a force density [d] or None
- `least_tau`: the smallest relaxation time at which a vortex street at velocity 0.08 between an inlet and a convective
  outlet stays stable
- `least_tau_sliding`: the same of a square cavity whose lid slides at up to 0.098, from rest at once; its corners,
  where walls of unlike velocity meet, excite what a street does not (docs/validation.md)

`h` holds deviations from rest (`lbmgen.equilibrium`). A law only adds, multiplies, divides and takes roots of its
values, which are arrays in tests and vector registers in kernels.
"""

from runkit.registry import Registry

collision = Registry("collision", "lbmgen.collisions")
