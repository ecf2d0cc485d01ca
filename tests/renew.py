"""For tests that change a file by hand: its checksums as if the data had been written so."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from runkit.dataset.checksums import HEADER, Checksums, arrays_of, sums_of
from runkit.dataset.schema import contract


def renew(path: Path) -> Path:
    """Write the checksums of a file anew."""
    with h5py.File(path, "r+") as file:
        schema = contract.build(file.attrs["schema"]).schema
        schema = schema.without(*(field.name for field in schema.fields if field.optional and field.name not in file))
        fields = arrays_of(schema)
        shapes = {field.name: file[field.name].shape for field in fields if field.name in file}
        sums = Checksums(schema, shapes, lambda name, box: file[name][box])
        for stage in schema.stages:
            for unit, flag in np.ndenumerate(file[stage.name][()]):
                file[sums_of(stage.name)][unit] = sums.of(stage.name, unit, int(flag))
        file[HEADER][:] = sums.of_header()
    return path
