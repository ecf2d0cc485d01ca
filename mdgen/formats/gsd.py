"""GSD, HOOMD-blue's format: any number of frames. Species are named as `particles.types` names them.

Source: https://gsd.readthedocs.io, which reads it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mdgen.formats.base import Format, Frame, Frames, file_format
from runkit.errors import UserError

_MAGIC = b"\xdf\x65\xdf\x65\xdf\x65\xdf\x65"


@file_format("GSD")
class Gsd(Format):
    """Frames of schema hoomd."""

    needs_file = True
    suffixes = (".gsd",)
    in_time = True

    @staticmethod
    def recognises(head: bytes) -> bool:
        """GSD's magic number."""
        return head.startswith(_MAGIC)

    @staticmethod
    def frames(path: Path) -> Frames:
        """Frames in the order of the file."""
        try:
            import gsd.hoomd as hoomd
        except ImportError as error:
            raise UserError(f"{path}: GSD files need the package gsd: {error}") from error
        try:
            with hoomd.open(str(path), "r") as file:
                for i in range(len(file)):
                    yield partial(_frame, path, file, i)
        except RuntimeError as error:
            raise UserError(f"{path}: cannot be read as GSD: {error}") from error


def _frame(path: Path, file: Any, i: int) -> Frame:
    content = file[i]
    particles, configuration = content.particles, content.configuration
    if configuration.dimensions != 3:
        raise UserError(f"{path}, frame {i}: {configuration.dimensions} dimensions; three are needed")
    x, y, z, xy, xz, yz = map(float, configuration.box)
    # HOOMD's tilts are factors: the second vector is (xy Ly, Ly, 0), the third (xz Lz, yz Lz, Lz)
    cell = np.array([[x, 0, 0], [xy * y, y, 0], [xz * z, yz * z, z]])
    # What a frame does not have is that of frame 0; where that has none either, gsd gives a box of edge 1.
    has_box = any(file.file.chunk_exists(frame, "configuration/box") for frame in (i, 0))
    with np.errstate(invalid="ignore"):  # what is not finite is refused with its place
        position = np.asarray(particles.position, dtype=np.float64)
    return Frame(
        position,
        [particles.types[kind] for kind in particles.typeid],
        cell if has_box else None,
        f"frame {i} (step {configuration.step})",
        mass=np.asarray(particles.mass, dtype=np.float64),
    )
