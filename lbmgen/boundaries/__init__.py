"""What holds at the faces of the domain: one kind per file, registered by name.

A kind is a frozen dataclass of its parameters that builds on `Face` or, if it is open, on `Open` (`face.py`).
A face lies half a site outside the outermost sites.
"""

from runkit.registry import Registry

boundary = Registry("boundary", "lbmgen.boundaries")
