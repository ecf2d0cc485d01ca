"""Whole runs of the generators in this process, on a device that keeps account of when the host waits for it."""

from __future__ import annotations

import cProfile
import pstats
import time
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import lbmgen.config
import lbmgen.run
import mdgen.config
import mdgen.run
from runkit.config import load
from runkit.dataset.reader import Dataset
from runkit.mpi import SerialWorld

PROGRAMS: dict[str, tuple[Any, Any]] = {
    "mdgen": (mdgen.run, mdgen.config.RunConfig),
    "lbmgen": (lbmgen.run, lbmgen.config.RunConfig),
}


class Run(NamedTuple):
    """Wall time, and the part of it in which the host did not wait for the device."""

    wall: float
    host: float


class Waits:
    """A device whose waits are timed: until work is done, or until a copy to the host has come."""

    def __init__(self, device: Any) -> None:
        self._device, self.seconds = device, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def wait(self) -> None:
        self._timed(self._device.wait)

    def to_host(self, array: Any, out: Any = None) -> Any:
        return self._timed(self._device.to_host, array, out)

    def _timed(self, function: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            self.seconds += time.perf_counter() - began


def generate(
    program: str, path: Path, device: Any, settings: list[str], profile: cProfile.Profile | None = None
) -> Run:
    """A run of `mdgen` or `lbmgen` with defaults but for `settings`, on `device` (None: the CPU), into a new file.

    `profile` is filled with what the host does, which costs time: most where kernels have to be compiled.
    """
    module, case_class = PROGRAMS[program]
    path.unlink(missing_ok=True)
    case = load(case_class, None, [f"output={path}", *settings])
    timed = device and Waits(device)
    choose, module.choose = module.choose, lambda world, wanted: timed
    began = time.perf_counter()
    try:
        with profile or nullcontext():
            module.generate(SerialWorld(), case)
    finally:
        module.choose = choose
    wall = time.perf_counter() - began
    return Run(wall, 1 - timed.seconds / wall if timed else 1.0)


def print_profile(profile: cProfile.Profile, n_lines: int = 22) -> None:
    """Where the host's time went, for the log."""
    for key in ("tottime", "cumtime"):
        pstats.Stats(profile).sort_stats(key).print_stats(n_lines)


def digests(path: Path) -> dict[str, str]:
    """Field of a data set -> digest of its bytes."""
    with Dataset(path) as file:
        names = [field.name for field in file.schema.fields if field.name in file]
        return {name: sha256(file[name][...].tobytes()).hexdigest() for name in names}
