"""Write a sample as extended XYZ, for OVITO and other viewers: one frame per time.

    python -m tools.export_extxyz data/kob_andersen.h5 sample.xyz sample=3                    # structure with labels
    python -m tools.export_extxyz data/kob_andersen.h5 sample.xyz sample=3 positions=replica  # a trajectory

Every frame has the propensity at its time and its standard error; frames of a trajectory have the displacement vector
since the velocity draw, and begin with the initial configuration. mdgen reads these files as `initial.file`.

Source: https://github.com/libAtoms/extxyz.
Units: Lennard-Jones; `Time` in tau_LJ.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from runkit.cli import run_program
from runkit.config import Config
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from runkit.extxyz import letters, write_frame
from runkit.outputs import require_replaceable, starts_with, written_whole

IS_OURS = starts_with(r'\d+\nLattice="[^"]*" Time=\S+ Temperature=\S+ Properties=species:S:1:pos:R:3')


class Export(Config):
    """A sample of an ISOCONFIG file as extended XYZ."""

    file: str = Field(description="ISOCONFIG file")
    output: str = Field("sample.xyz", description="file to write")
    sample: int = Field(0, ge=0, description="index of the sample")
    positions: Literal["initial", "inherent", "replica"] = Field(
        "initial", description="the initial configuration, its inherent structure, or a trajectory"
    )
    replica: int = Field(0, ge=0, description="index of the trajectory")


def export(options: Export) -> None:
    """Write the frames of one sample."""
    with Dataset(options.file) as data:
        if data.schema.name != "ISOCONFIG":
            raise UserError(f"file: {options.file} holds {data.schema.name} data; ISOCONFIG is needed")
        _require(options, data)
        require_replaceable(options.output, IS_OURS, reads=[options.file])
        with written_whole(Path(options.output)) as beside, beside.open("w", encoding="utf-8") as stream:
            n_frames = 0
            for header, columns in frames(options, data):
                write_frame(stream, data["box"][options.sample], header, columns)
                n_frames += 1
    print(f"wrote {n_frames} frames of {data.sizes['particle']} particles to {options.output}")


def frames(options: Export, data: Dataset) -> Iterator[tuple[dict[str, object], dict[str, np.ndarray]]]:
    """(header, columns) of every frame; a column is an array [n] or [n, 3]."""
    i, times = options.sample, data["time"][:]
    letter = letters(data["species"][i])
    start = data["initial_position"][i]
    shown = data["inherent_position"][i] if options.positions == "inherent" else start
    names = [name for name in ("propensity", "propensity_error") if name in data]
    is_trajectory = options.positions == "replica"
    for k in range(-1 if is_trajectory else 0, len(times)):  # -1: the velocity draw
        columns = {"species": letter, "pos": shown}
        if is_trajectory:
            columns["pos"] = start if k < 0 else data["position"][i, k, options.replica].astype(np.float64)
            columns["displacement"] = columns["pos"] - start
        columns |= {name: data[name][i, k] if k >= 0 else np.zeros(len(start)) for name in names}
        time = times[k] if k >= 0 else 0.0
        yield {"Time": f"{time:g}", "Temperature": f"{data['temperature'][i]:.12g}"}, columns


def _require(options: Export, data: Dataset) -> None:
    limits = {"sample": data.sizes["sample"]}
    if options.positions == "replica":
        limits["replica"] = data.sizes["replica"]
    for key, length in limits.items():
        if getattr(options, key) >= length:
            raise UserError(f"{key} = {getattr(options, key)} is not in {options.file}; allowed: 0 to {length - 1}")
    if data["labelled"][options.sample] != COMPLETE:
        why = data["failure"][options.sample].decode() or "it has no labels yet"
        raise UserError(f"sample = {options.sample} of {options.file} cannot be shown: {why}")


if __name__ == "__main__":
    run_program("python -m tools.export_extxyz", Export, export, positional=("file", "output"))
