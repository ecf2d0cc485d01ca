"""What must hold between the fields of a dataset file, beyond the range of each."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from runkit.dataset.flow import FLOW, FLOW_3D, LARGEST_DEVIATION, LARGEST_SPEED
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED, ISOCONFIG


def broken(dataset: Dataset) -> Iterator[str]:
    """Sentences on the rules of this file's schema that do not hold."""
    if dataset.schema == ISOCONFIG:
        yield from _isoconfig(dataset)
    if dataset.schema in (FLOW, FLOW_3D):
        yield from _flow(dataset)


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


def _flow(dataset: Dataset) -> Iterator[str]:
    for axis in ("time", *dataset.schema.groups["dimensions"]["spatial_dims"]):
        values = dataset[f"dimensions/{axis}"][()]
        if np.any(np.diff(values) <= 0):
            yield f"dimensions/{axis} does not ascend"
    status = dataset["computed"][()]
    served = int(dataset.attributes.get("n_trajectories", 0))
    if dataset.is_complete and np.any(status[:served] != COMPLETE):
        yield f"case {np.argmax(status[:served] != COMPLETE)} is no data, but one of n_trajectories = {served}"
    for case in np.flatnonzero(status == FAILED):
        if not np.isnan(dataset["t0_fields/density"][case]).all():
            yield f"case {case} has failed, but holds numbers; NaN is needed"
    for case in np.flatnonzero(status == COMPLETE):
        yield from (f"case {case}: {problem}" for problem in _case(dataset, int(case)))


def _case(dataset: Dataset, case: int) -> Iterator[str]:
    solid = dataset["t0_fields/fluid_fraction"][case] == 0
    if np.any(dataset["t0_fields/signed_distance"][case][solid] > 0):
        yield "signed_distance is positive in cells without fluid"
    density, velocity = dataset["t0_fields/density"][case], dataset["t1_fields/velocity"][case]
    if np.any(density[:, solid] != 1) or np.any(velocity[:, solid]):
        yield "cells without fluid are not at rest with density 1"
    speed, deviation = (float(np.max(values)) for values in (np.linalg.norm(velocity, axis=-1), np.abs(density - 1)))
    if speed > LARGEST_SPEED:
        yield f"the largest velocity is {speed:.3g}; allowed: up to {LARGEST_SPEED}"
    if deviation > LARGEST_DEVIATION:
        yield f"density departs from 1 by {deviation:.3g}; allowed: up to {LARGEST_DEVIATION}"
    try:
        json.loads(dataset["description"][case])
    except ValueError:
        yield "description is not JSON"
