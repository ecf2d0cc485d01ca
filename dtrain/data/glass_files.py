"""The files of networks that learn several times and temperatures at once: how they are opened, and numbered.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from dtrain.data import dataset_at
from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.glass_graphs import GraphOptions
from dtrain.data.knots import SAME, Knots
from runkit.errors import UserError
from runkit.files import expand


class TimesOptions(GraphOptions):
    """Keys of [data]."""

    name: Literal["glass-times"] = Field("glass-times", description="name of a registered data set")
    further: tuple[str, ...] = Field(
        (), description="more ISOCONFIG files of the same system, at other temperatures or times (globs allowed)"
    )
    times: Literal["all"] | tuple[int, ...] = Field(
        "all", description="indices of the times to learn, in every file; all: every one of them"
    )
    blind: bool = Field(
        False, description="one answer for all temperatures, which the network is not told; false: one for each"
    )
    unexplained: float = Field(
        0.3,
        gt=0,
        description="share of the variance within a configuration that is not expected to be learnt; a graph counts as "
        "this over its sum with the noise of the labels, both in units of that variance",
    )

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.file, *map(str, expand(self.further, "data.further")))


class File(NamedTuple):
    """A file: its data at each time that is learnt, the knots of these, and the number of its first sample."""

    at: tuple[Glass, ...]
    knots: tuple[int, ...]
    start: int

    @property
    def n_samples(self) -> int:
        """All samples of the file."""
        return self.at[0].dataset.sizes["sample"]

    def own(self, numbers: Sequence[int]) -> list[int]:
        """Those of some numbers that are samples of this file, as they are numbered in it."""
        return [number - self.start for number in numbers if self.start <= number < self.start + self.n_samples]


class Place(NamedTuple):
    """What a number means: a file, a sample of it, and for a reversed replica its time and its number there."""

    file: File
    sample: int
    i_time: int
    reversed_number: int | None


def open_files(options: TimesOptions, seed: int) -> tuple[list[File], Knots]:
    """The files of a recipe in their order, and the knots that they label; UserError if they do not go together."""
    opened = [_open(options, path, seed) for path in options.sources]
    _require_alike([of_file[0] for of_file in opened])
    temperatures = [_temperature(of_file[0]) for of_file in opened]
    told = [temperatures[0]] * len(opened) if options.blind else temperatures
    knots = Knots.of((one, [at.at for at in of_file]) for one, of_file in zip(told, opened, strict=True))
    files: list[File] = []
    for temperature, of_file in zip(told, opened, strict=True):
        start = files[-1].start + files[-1].n_samples if files else 0
        files.append(File(of_file, tuple(knots.number(at.at, temperature) for at in of_file), start))
    return files, knots


def place_of(files: Sequence[File], number: int, n_reversed: int) -> Place | None:
    """What a number means; None for a time that its file does not have.

    Samples are numbered file by file; after all of them come reversed replicas: replica 0 of every sample at the first
    time, replica 1, ..., then those of the second time.
    """
    block, base = divmod(number, files[-1].start + files[-1].n_samples)
    file = next(one for one in reversed(files) if one.start <= base)
    sample = base - file.start
    if not block:
        return Place(file, sample, 0, None)
    i_time, replica = divmod(block - 1, n_reversed)
    return Place(file, sample, i_time, sample + (1 + replica) * file.n_samples) if i_time < len(file.at) else None


def _open(options: TimesOptions, path: str, seed: int) -> tuple[Glass, ...]:
    """A file at each of its times that are learnt."""
    keys = {key: getattr(options, key) for key in GraphOptions.model_fields if key != "name"} | {"file": path}
    with dataset_at(path, "ISOCONFIG") as dataset:
        n_times = dataset.sizes["time"]
    chosen = range(n_times) if options.times == "all" else options.times
    if not chosen or not all(0 <= k < n_times for k in chosen):
        raise UserError(f"data.times = {list(chosen)}: {path} has the times 0 to {n_times - 1}")
    return tuple(Glass(GlassOptions.model_validate(keys | {"time": k}), seed) for k in sorted(set(chosen)))


def _temperature(glass: Glass) -> float:
    found = glass.dataset["temperature"][:]
    if np.ptp(found) > SAME * found.max():
        told = f"{found.min():g} to {found.max():g}"
        raise UserError(f"{glass.options.file} has temperatures from {told}; one of a file is needed")
    return float(found[0])


def _require_alike(files: Sequence[Glass]) -> None:
    """Raise UserError unless all files are of one system, but for temperature and times."""
    first = files[0].system
    for one in files[1:]:
        for key in ("potential", "parameters", "density", "n_species"):
            if one.system.get(key) != first.get(key):
                told = f"{one.system.get(key)!r}, in {files[0].options.file} {first.get(key)!r}"
                raise UserError(f"data.further: {key} in {one.options.file} is {told}; one system is needed")
