"""Checksums of units: what they add to writing a file, and how fast a file is verified.

Units are written as generators write them, in turns with and without checksums, to a file on a real disk or in memory.
The peer is the same file without checksums; processor time of one core is compared, so that a disk counts with what it
costs the processor alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from runkit.dataset.contracts.flow import FLOW
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.schema import COMPLETE, Schema
from runkit.dataset.verify import verify
from runkit.dataset.writer import Writer
from runkit.mpi import SerialWorld
from tools.benchmarks.table import Row, show


class Form(NamedTuple):
    """Units of one stage of a file, of the sizes that are in use."""

    title: str
    schema: Schema
    sizes: dict[str, int]
    stage: str
    units: list[tuple[int, ...]]


REPLICAS = {"sample": 1, "time": 10, "replica": 32, "particle": 4096, "bond": 40000, "species": 2}
FRAMES = {"case": 4, "time": 50, "x": 256, "y": 128, "force_time": 500, "body": 3}
FORMS = (
    Form("replicas of 4096 particles at 10 times", ISOCONFIG, REPLICAS, "propagated", [(0, k) for k in range(32)]),
    Form("flows of 256 x 128 cells in 50 frames", FLOW, FRAMES, "computed", [(k,) for k in range(4)]),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this subject."""
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where files are written (default: that of temporary files)")


def run(arguments: argparse.Namespace) -> None:
    """Measure in turns and print both tables."""
    rows, rates = [], []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for form in FORMS:
            turns = [[_write(form, Path(folder), summed) for summed in (True, False)] for _ in range(arguments.turns)]
            summed, plain = np.array(turns).T
            rows.append(Row(form.title, summed, plain))
            rates.append((form.title, max(_verify(form, Path(folder)) for _ in range(arguments.turns))))
    show(rows, "MB/s", "without checksums")
    print("\n" + "\n".join(f"verified: {title}: {rate:.2g} GB/s" for title, rate in rates))


def _write(form: Form, folder: Path, summed: bool) -> float:
    """Megabytes per second of processor time at which units are written."""
    path = folder / "a.h5"
    path.with_name("a.h5.part").unlink(missing_ok=True)
    with Writer.open(SerialWorld(), path, form.schema, form.sizes, {"config": {}}) as file:
        if not summed:
            file.checksums = None
        own = [(field, _values(file, field.name)) for field in form.schema.fields if field.stage == form.stage]
        began, written = time.process_time(), 0
        for unit in form.units:
            place = dict(zip(form.schema[form.stage].dims, unit, strict=True))
            for field, values in own:
                index = tuple(place.get(dim, slice(None)) for dim in field.dims)
                part = values[tuple(0 if dim in place else slice(None) for dim in field.dims)]
                file.write(field.name, index, part)
                written += part.nbytes
            file.mark(form.stage, unit, COMPLETE)
        return written / 1e6 / (time.process_time() - began)


def _values(file: Writer, name: str) -> np.ndarray:
    """Values of one unit of a field."""
    return np.random.default_rng(0).random(file.shape(name)).astype(file.schema[name].dtype)


def _verify(form: Form, folder: Path) -> float:
    """Gigabytes per second of processor time at which a file in the memory of the system is verified."""
    _write(form, folder, True)
    with Writer.open(SerialWorld(), folder / "a.h5", form.schema, form.sizes, {"config": {}}, verified=False) as file:
        began = time.process_time()
        verify(file)
        return os.path.getsize(file.part) / 1e9 / (time.process_time() - began)
