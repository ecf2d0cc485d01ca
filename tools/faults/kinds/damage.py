"""Files that change between two runs: generated ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from runkit.dataset.check import check, main
from tools.faults.targets import arrays_of
from tools.faults.trial import Bad, Trial, fault


def flip(path: Path, trial: Trial, n_bits: int = 1) -> None:
    """Change bits at random places."""
    content = bytearray(path.read_bytes())
    for _ in range(n_bits if content else 0):
        place = trial.random.randrange(len(content))
        content[place] ^= 1 << trial.random.randrange(8)
        trial.note(f"a bit of byte {place} of {path.name}")
    path.write_bytes(content)


def cut(path: Path, trial: Trial) -> None:
    """Cut a file anywhere."""
    size = int(path.stat().st_size * trial.random.random())
    os.truncate(path, size)
    trial.note(f"{path.name} cut to {size} bytes")


def _datasets(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) and item.size else None)
    return sorted(names)


def _of_part(trial: Trial, harm: Callable[[Path, Trial], None]) -> None:
    """A run begins, its unfinished file suffers harm, and it is run to its end."""
    trial.begun()
    if trial.unfinished().exists():
        harm(trial.unfinished(), trial)
    trial.complete()


def _opened(harm: Callable[[h5py.File, Trial], None]) -> Callable[[Path, Trial], None]:
    """Harm that is done through HDF5."""

    def harm_to(path: Path, trial: Trial) -> None:
        with h5py.File(path, "r+", locking=False) as file:
            harm(file, trial)

    return harm_to


@fault("a bit of an unfinished file", 16)
def bit_of_part(trial: Trial) -> None:
    _of_part(trial, flip)


@fault("8 bits of an unfinished file", 4)
def bits_of_part(trial: Trial) -> None:
    _of_part(trial, partial(flip, n_bits=8))


@fault("a value of an unfinished file", 8)
def value_of_part(trial: Trial) -> None:
    _of_part(trial, _change_value)


@_opened
def _change_value(file: h5py.File, trial: Trial) -> None:
    name = trial.random.choice(_datasets(file))
    place = trial.random.randrange(file[name].size)
    index = tuple(map(int, np.unravel_index(place, file[name].shape)))
    old = file[name][index]
    file[name][index] = b"other" if file[name].dtype.kind == "S" else np.asarray(old + 1).astype(file[name].dtype)
    trial.note(f"{name}{list(index)}: {old} to {file[name][index]}")


@fault("a status flag of an unfinished file", 6)
def flag_of_part(trial: Trial) -> None:
    _of_part(trial, _change_flag)


@_opened
def _change_flag(file: h5py.File, trial: Trial) -> None:
    stages = [name for name in _datasets(file) if file[name].attrs.get("unit") == "status"]
    name = trial.random.choice(stages)
    index = tuple(trial.random.randrange(n) for n in file[name].shape)
    flag = trial.random.choice([0, 1, 2, 3, 255])
    trial.note(f"{name}{list(index)}: {file[name][index]} to {flag}")
    file[name][index] = flag


@fault("an unfinished file is cut", 4)
def part_is_cut(trial: Trial) -> None:
    _of_part(trial, cut)


@fault("an attribute of an unfinished file", 5)
def attribute_of_part(trial: Trial) -> None:
    _of_part(trial, _change_attribute)


@_opened
def _change_attribute(file: h5py.File, trial: Trial) -> None:
    name = trial.random.choice(sorted(file.attrs))
    value = trial.random.choice(["{", "", 3, [1, 2], "[]", -1])
    trial.note(f"{name} = {value!r}")
    if value == -1:
        del file.attrs[name]
    else:
        file.attrs[name] = value


@fault("a bit of a checkpoint", 8)
def bit_of_checkpoint(trial: Trial) -> None:
    trial.begun()
    for path in sorted(trial.folder.glob("a.h5.checkpoints/*.npz"))[:1]:
        flip(path, trial)
    trial.complete()


@fault("checkpoints are cut, swapped or deleted", 6)
def checkpoints_suffer(trial: Trial) -> None:
    trial.begun()
    saved = sorted(trial.folder.glob("a.h5.checkpoints/*.npz"))
    what = trial.random.choice(["cut", "swapped", "deleted"])
    trial.note(what)
    for path in saved:
        if what == "cut":
            cut(path, trial)
        elif what == "deleted" and trial.random.random() < 0.5:
            path.unlink()
    if what == "swapped" and len(saved) > 1:
        first, second = saved[0].read_bytes(), saved[1].read_bytes()
        saved[0].write_bytes(second)
        saved[1].write_bytes(first)
    trial.complete()


@fault("a bit of a sealed file, found and repaired", 12)
def bit_of_sealed(trial: Trial) -> None:
    path = trial.folder / "a.h5"
    path.write_bytes((trial.target.folder / "a.h5").read_bytes())
    flip(path, trial)
    report = check(path)
    try:
        is_same = arrays_of(path) == trial.target.reference
    except (OSError, RuntimeError, UnicodeError, KeyError):
        is_same = False
    if report.good and not is_same:
        raise Bad("wrong", "check does not find it")
    trial.note("told" if not report.good else "nothing is changed by it")
    if main(["--repair", str(path)]) == 2:  # told in one line: attributes, or HDF5 itself
        trial.note("not to be repaired")
        path.unlink()
    trial.complete()
