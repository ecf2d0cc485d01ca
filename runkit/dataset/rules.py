"""What must hold between the fields of a dataset file, beyond the range of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, ISOCONFIG


def broken(dataset: Dataset) -> Iterator[str]:
    """Sentences on the rules of this file's schema that do not hold."""
    if dataset.schema == ISOCONFIG:
        yield from _isoconfig(dataset)


def _isoconfig(dataset: Dataset) -> Iterator[str]:
    time = dataset["time"][()]
    if np.any(np.diff(time) <= 0) and (np.any(time) or dataset.is_complete):
        yield f"time does not ascend: {time.tolist()}"
    for sample in np.flatnonzero(dataset["equilibrated"][()] == COMPLETE):
        yield from (f"sample {sample}: {problem}" for problem in _configuration(dataset, int(sample)))
    for sample in np.flatnonzero(dataset["labelled"][()] == COMPLETE):
        yield from (f"sample {sample}: {problem}" for problem in _bonds(dataset, int(sample)))


def _configuration(dataset: Dataset, sample: int) -> Iterator[str]:
    box, position = dataset["box"][sample], dataset["initial_position"][sample]
    n_species = dataset.sizes["species"]
    if np.any(box <= 0):
        yield f"box {box.tolist()} is not positive"
    elif np.any((position < 0) | (position >= box)):
        yield "initial_position is not wrapped into the box"
    if np.any(dataset["species"][sample] >= n_species):
        yield f"species has indices beyond {n_species - 1}"
    if np.any(dataset["temperature"][sample] <= 0):
        yield "temperature is not positive"


def _bonds(dataset: Dataset, sample: int) -> Iterator[str]:
    used, bond = int(dataset["n_bonds"][sample]), dataset["bond"][sample]
    if used > len(bond):
        yield f"n_bonds is {used}, but there is room for {len(bond)}"
        return
    if np.any(bond[used:] != -1):
        yield f"bond has entries beyond n_bonds = {used}"
    i, j = bond[:used].T
    if np.any((i < 0) | (i >= j) | (j >= dataset.sizes["particle"])):
        yield "bond has pairs that are not 0 <= i < j < number of particles"
    elif np.any(np.diff(i.astype(np.int64) * dataset.sizes["particle"] + j) <= 0):
        yield "bond is not in lexicographic order"
    if "bond_change" in dataset and np.any(np.isnan(dataset["bond_change"][sample][:, :used])):
        yield "bond_change is not finite for bonds in use"
