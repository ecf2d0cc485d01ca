"""Our own files: the initial configurations of an ISOCONFIG file, finished or not, with their temperature."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from mdgen.formats.base import Format, Frame, Frames, file_format
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from runkit.outputs import PART


@file_format("ISOCONFIG")
class Isoconfig(Format):
    """The equilibrated samples, in order."""

    needs_file = True
    suffixes = (".h5", ".hdf5", PART)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """An HDF5 file."""
        return head.startswith(b"\x89HDF\r\n\x1a\n")

    @staticmethod
    def frames(path: Path) -> Frames:
        """A frame for each sample that is there."""
        with Dataset(path, unfinished=True) as file:
            if file.schema.name != "ISOCONFIG":
                raise UserError(f"{path} holds {file.schema.name} data; configurations are in ISOCONFIG files")
            ready = np.flatnonzero(file["equilibrated"][:] == COMPLETE).tolist()
            if not ready:
                raise UserError(f"{path}: no sample is equilibrated yet")
            for sample in ready:
                yield partial(_frame, file, sample)


def _frame(file: Dataset, sample: int) -> Frame:
    return Frame(
        file["initial_position"][sample],
        list(map(str, file["species"][sample].tolist())),
        file["box"][sample],
        f"sample {sample}",
        first=0,
        temperature=float(file["temperature"][sample]) or None,
    )
