"""What holds at the faces of the domain: one kind per file, registered by name.

A boundary is a frozen dataclass with

- `priority`: the lower wins where a link leaves the domain through two faces
- `kind`: the name of the_well for it, WALL, OPEN or PERIODIC
- and what its family needs: a wall `velocity_at(place, axis, room)`, `require_fit(axis, room)` and
  `fastest(axis, room)`, where `room` is the domain; an outlet `law`, `density` and `speed`

A face lies half a site outside the outermost sites.
"""

from runkit.registry import Registry

boundary = Registry("boundary", "lbmgen.boundaries")
