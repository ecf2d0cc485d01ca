"""Write a dataset as published npz files, so that others' training code runs on it unchanged.

    python -m tools.export_botan data/kob_andersen.h5 small_data
    python -m tools.export_botan data/kob_andersen.h5 KA_models layout=glassbench

`botan`: one file per configuration and time, FOLDER/T0.44/{train,test}/isoconfig_N4096T0.44_1_tc07.npz with `types`,
`initial_positions` in [0, box) and `positions` [n_replicas, n_particles, 3], unwrapped. The time index counts from 1;
published times keep their published index. `glassbench`: one file per configuration, N4096T0.44_1.npz with `types`,
`initial_positions` and `initial_positions_inherent` in [-box/2, box/2) and `md_prop` [n_times, n_particles]. Both also
hold `box`, `temperature` and `time`, which published files lack and their readers ignore.

Source: pyg_botan, https://github.com/h3-Open-BDEC/pyg_botan; GlassBench, doi:10.5281/zenodo.10118191.
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from dtrain.glass import published
from runkit.checkpoint import save_arrays
from runkit.cli import run_program
from runkit.config import Config
from runkit.dataset.contracts.isoconfig import BOND_BREAKING, CAGE
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from runkit.folders import make_folders
from runkit.outputs import holds_arrays, require_replaceable


class Export(Config):
    """An ISOCONFIG file as published npz files."""

    file: str = Field(description="ISOCONFIG file")
    output: str = Field(description="folder to write into")
    layout: Literal["botan", "glassbench"] = Field("botan", description="whose files to write")
    test: float = Field(0.2, ge=0, lt=1, description="fraction of the samples, the last, that go to test/")


def export(options: Export) -> None:
    """Write one file per configuration (and time)."""
    with Dataset(options.file) as data:
        if data.schema.name != "ISOCONFIG":
            raise UserError(f"file: {options.file} holds {data.schema.name} data; ISOCONFIG is needed")
        samples = np.flatnonzero(data["labelled"][:] == COMPLETE).tolist()
        if not samples:
            raise UserError(f"{options.file}: no sample is labelled; python -m runkit.dataset.check says why")
        n_train = len(samples) - round(options.test * len(samples))
        layout = {"botan": botan_files, "glassbench": glassbench_files}[options.layout]
        n_files = 0
        for number, sample in enumerate(samples, start=1):
            temperature = in_name(float(data["temperature"][sample]))
            folder = Path(options.output) / f"T{temperature}" / ("train" if number <= n_train else "test")
            make_folders(folder)
            for name, arrays in layout(data, sample, f"N{data.sizes['particle']}T{temperature}_{number}"):
                # Published files of the same names lack the fields about their state.
                require_replaceable(folder / name, holds_arrays(arrays), reads=[options.file])
                save_arrays(folder / name, **arrays)
                n_files += 1
    print(f"wrote {n_files} files of {len(samples)} configurations to {options.output}")


def botan_files(data: Dataset, sample: int, stem: str) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(name, arrays) of each time of a sample."""
    if not data.sizes["replica"]:
        raise UserError(f"{data.path} holds labels without trajectories; only layout=glassbench can be written from it")
    times = data["time"][:]
    for i_time, index in enumerate(time_indices(times, float(data["temperature"][sample]))):
        yield (
            f"isoconfig_{stem}_tc{index:02d}.npz",
            {
                "types": data["species"][sample],
                "initial_positions": data["initial_position"][sample],
                "positions": data["position"][sample, i_time].astype(np.float64),
                "time": times[i_time],
                **_state(data, sample),
            },
        )


def glassbench_files(data: Dataset, sample: int, stem: str) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(name, arrays) of a sample; what only imported files have goes back as it came."""
    box, further = data["box"][sample], {}
    if CAGE.name in data:
        further["initial_positions_cage"] = centred(data[CAGE.name][sample], box)
    if BOND_BREAKING.name in data:
        further["bb_prop"] = data[BOND_BREAKING.name][sample].astype(np.float64)
    yield (
        f"{stem}.npz",
        {
            "types": data["species"][sample],
            "initial_positions": centred(data["initial_position"][sample], box),
            "initial_positions_inherent": centred(data["inherent_position"][sample], box),
            "md_prop": data["propensity"][sample].astype(np.float64),
            **further,
            "time": data["time"][:],
            **_state(data, sample),
        },
    )


def _state(data: Dataset, sample: int) -> dict[str, np.ndarray]:
    return {"box": data["box"][sample], "temperature": data["temperature"][sample]}


def centred(position: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Positions [n, 3] wrapped into [-box/2, box/2)."""
    return position - np.floor(position / box + 0.5) * box


def time_indices(times: np.ndarray, temperature: float) -> list[int]:
    """The published indices of the times, or 1, 2, … if one of them was not published."""
    known = published.times(temperature)
    found = [
        next((k for k, t in enumerate(known, start=1) if math.isclose(t, time, rel_tol=1e-6)), 0) for time in times
    ]
    return found if all(found) else list(range(1, len(times) + 1))


def in_name(temperature: float) -> str:
    """A temperature as file names hold it: two digits, more where needed."""
    return (
        f"{temperature:.2f}" if math.isclose(temperature, round(temperature, 2), abs_tol=1e-9) else f"{temperature:g}"
    )


if __name__ == "__main__":
    run_program("python -m tools.export_botan", Export, export, positional=("file", "output"))
