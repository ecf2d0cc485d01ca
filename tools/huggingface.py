"""Open our files by HuggingFace `datasets`: a row is a sample (ISOCONFIG) or a case (FLOW), with all its fields.

    from tools.huggingface import open_file
    rows = open_file("data/kob_andersen.h5").with_format("numpy")
    rows[0]["propensity"]                                   # [time, particle]

`datasets` reads HDF5 itself, given the names of fields with an entry for each row: those whose first axis is that of
the samples or cases. It is not among the dependencies of this project: pip install datasets.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import Field
from runkit.errors import UserError

ROWS = ("sample", "case")  # names of the first axis


def open_file(path: Path | str, fields: Sequence[str] = ()) -> Any:
    """A `datasets.Dataset` of the `fields` named, or of all that have rows; raises UserError for another name."""
    from datasets import load_dataset

    return load_dataset("hdf5", data_files=str(path), split="train", features=features(path, fields))


def features(path: Path | str, fields: Sequence[str] = ()) -> Any:
    """`datasets.Features` of a file; fields of groups ("t1_fields/velocity") are nested as the groups are."""
    from datasets import Features

    with Dataset(path) as data:
        with_rows = [one for one in data.schema.fields if one.dims and one.dims[0] in ROWS]
        present = {one.name: one for one in with_rows if one.name in data}
        unknown = [name for name in fields if name not in present]
        if unknown:
            raise UserError(f"{path}: {unknown[0]!r} has no rows; fields that have: {', '.join(present)}")
        tree: dict[str, Any] = {}
        for name in fields or present:
            *groups, last = name.split("/")
            place = tree
            for group in groups:
                place = place.setdefault(group, {})
            place[last] = _feature(present[name], data.sizes)
    return Features(tree)


def _feature(field: Field, sizes: dict[str, int]) -> Any:
    """What a row holds of a field."""
    import datasets

    stored = np.dtype(field.dtype)
    kind = "binary" if stored.kind == "S" else stored.name
    shape = field.shape(sizes)[1:]
    if not shape:
        return datasets.Value(kind)
    if len(shape) == 1:
        return datasets.List(datasets.Value(kind), length=shape[0])
    return getattr(datasets, f"Array{len(shape)}D")(shape=shape, dtype=kind)
