"""ISOCONFIG: isoconfigurational ensembles of glass formers, with the labels that follow from them; mdgen writes it.

Units: Lennard-Jones.
"""
# ruff: noqa: E501  (a table is read by rows)

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from runkit.arrays import Array
from runkit.dataset import glass
from runkit.dataset.card import failures, span, table
from runkit.dataset.contract import Contract, Finding
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, Field, Schema, contract

CLOSE_PAIR = 1.35  # AA pairs nearer than this at time zero are scored: the first coordination shell

# fmt: off
ISOCONFIG = Schema(
    name="ISOCONFIG",
    version=1,
    fields=(
        # filled when the file is laid down
        Field("time", ("time",), "f8", "tau_LJ", "times of the snapshots after the velocity draw", low=0.0),
        Field("temperature", ("sample",), "f8", "epsilon/k_B", "temperature of the velocity draw", low=0.0),
        # one unit of work: a sample
        Field("equilibrated", ("sample",), "u1", "status", "initial configuration and its inherent structure are there"),
        Field("species", ("sample", "particle"), "i1", "1", "species index: 0 is A, 1 is B", "equilibrated", low=0),
        Field("box", ("sample", "3"), "f8", "sigma", "edges of the periodic box", "equilibrated", low=0.0),
        Field("initial_position", ("sample", "particle", "3"), "f8", "sigma", "initial configuration, wrapped into [0, box)", "equilibrated", low=0.0),
        Field("inherent_position", ("sample", "particle", "3"), "f8", "sigma", "nearest energy minimum of the initial configuration, unwrapped with respect to it", "equilibrated"),
        Field("inherent_energy", ("sample",), "f8", "epsilon", "potential energy per particle of the inherent structure", "equilibrated"),
        Field("initial_energy", ("sample",), "f8", "epsilon", "potential energy per particle of the initial configuration", "equilibrated"),
        # one unit of work: a replica of a sample
        Field("propagated", ("sample", "replica"), "u1", "status", "trajectory is there"),
        Field("position", ("sample", "time", "replica", "particle", "3"), "f4", "sigma", "positions, unwrapped with respect to initial_position", "propagated", optional=True),
        Field("potential_energy", ("sample", "time", "replica"), "f8", "epsilon", "potential energy per particle", "propagated"),
        Field("kinetic_energy", ("sample", "time", "replica"), "f8", "epsilon", "kinetic energy per particle", "propagated", low=0.0),
        Field("energy_drift", ("sample", "replica"), "f8", "epsilon", "total energy per particle at the last time minus at the velocity draw", "propagated"),
        # one unit of work: the labels of a sample
        Field("labelled", ("sample",), "u1", "status", "labels and statistics are there"),
        Field("propensity", ("sample", "time", "particle"), "f4", "sigma", "replica mean of |r_i(t) - r_i(0)|", "labelled", low=0.0),
        Field("propensity_error", ("sample", "time", "particle"), "f4", "sigma", "standard error of propensity over replicas", "labelled", low=0.0, may_be_nan=True),
        Field("propensity_reliability", ("sample", "time"), "f8", "1", "split-half reliability of propensity over A particles (Spearman-Brown)", "labelled", may_be_nan=True, high=1.0),
        Field("n_bonds", ("sample",), "i4", "1", "neighbour pairs in use; the rest of axis bond is padding", "labelled", low=0),
        Field("bond", ("sample", "bond", "2"), "i4", "1", "particle indices i < j of pairs with r_ij(0) < bond_cutoff, lexicographic; padding is -1", "labelled", low=-1),
        Field("bond_change", ("sample", "time", "bond"), "f4", "sigma", "replica mean of |r_ij(t)| - |r_ij(0)|, minimum image; padding is NaN", "labelled", may_be_nan=True),
        Field("bond_change_error", ("sample", "time", "bond"), "f4", "sigma", "standard error of bond_change over replicas", "labelled", low=0.0, may_be_nan=True),
        Field("bond_change_reliability", ("sample", "time"), "f8", "1", f"split-half reliability of bond_change over AA pairs with r_ij(0) < {CLOSE_PAIR} (Spearman-Brown)", "labelled", may_be_nan=True, high=1.0),
        Field("mean_squared_displacement", ("sample", "time", "species"), "f8", "sigma^2", "mean over replicas and particles of a species", "labelled", low=0.0, may_be_nan=True),
        Field("overlap", ("sample", "time", "species"), "f8", "1", "fraction of a species displaced by less than 0.3", "labelled", low=0.0, high=1.0, may_be_nan=True),
        Field("self_scattering", ("sample", "time", "species"), "f8", "1", "self-intermediate scattering function F_s(q, t), isotropic average at wave_number q", "labelled", low=-1.0, high=1.0, may_be_nan=True),
        # what went wrong, for units marked FAILED
        Field("failure", ("sample",), "S160", "text", "why a sample failed, with stage and replica"),
    ),
)
# What a file may have beside what mdgen writes: imported data do.
CAGE = Field("cage_position", ("sample", "particle", "3"), "f8", "sigma", "mean position of a particle in its cage, unwrapped with respect to the initial configuration", "equilibrated", optional=True)
BOND_BREAKING = Field("bond_breaking_propensity", ("sample", "time", "particle"), "f4", "1", "replica mean of the share of a particle's initial neighbours that are still its neighbours", "labelled", low=0.0, optional=True)
# fmt: on

# Column of the card -> field; those with an axis of species show species 0.
_HEADLINES = {
    "reliability": "propensity_reliability",
    "bond reliab.": "bond_change_reliability",
    "MSD": "mean_squared_displacement",
    "overlap": "overlap",
    "F_s": "self_scattering",
}


@contract(ISOCONFIG.name)
class Isoconfig(Contract):
    """Checks configurations, their bonds and, for physics, whether they are those of an equilibrium liquid."""

    schema = ISOCONFIG.with_fields(CAGE, BOND_BREAKING)

    def broken(self, dataset: Dataset) -> Iterator[str]:
        """The rules of configurations and bonds."""
        time = dataset["time"][()]
        if np.any(np.diff(time) <= 0) and (np.any(time) or dataset.is_complete):
            yield f"time does not ascend: {time.tolist()}"
        for sample in np.flatnonzero(dataset["equilibrated"][()] == COMPLETE):
            yield from (f"sample {sample}: {problem}" for problem in _configuration(dataset, int(sample)))
        for sample in np.flatnonzero(dataset["labelled"][()] == COMPLETE):
            yield from (f"sample {sample}: {problem}" for problem in _bonds(dataset, int(sample)))

    def card(self, dataset: Dataset) -> list[str]:
        """Temperature, what was simulated, failures, and means of the labels."""
        lines = [", ".join([f"T {span(dataset['temperature'][()])}", *_described(dataset.config)])]
        if "position" not in dataset and "position" not in dataset.absent:
            lines.append("labels without the positions of replicas that they were computed from")
        lines += failures(dataset, "sample")
        labelled = np.flatnonzero(dataset["labelled"][()] == COMPLETE)
        if len(labelled):
            lines += _labels(dataset, labelled)
        return lines

    def findings(self, dataset: Dataset) -> Iterator[Finding]:
        """Drift, ageing, crystals and the like."""
        return glass.findings(dataset)

    def not_checked(self, dataset: Dataset) -> list[str]:
        """Labels, where there are trajectories that they could be computed from."""
        return ["whether labels follow from the trajectories"] if "position" in dataset else []


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


def _labels(dataset: Dataset, samples: Array) -> list[str]:
    """Means over labelled samples of the figures of species 0."""
    first = [dataset["species"][sample] == 0 for sample in samples]
    propensity = np.mean(
        [dataset["propensity"][i][:, mask].mean(axis=1) for i, mask in zip(samples, first, strict=True)], axis=0
    )
    columns = {"time": dataset["time"][()], "propensity": propensity}
    for head, name in _HEADLINES.items():
        if name in dataset:
            values = dataset[name][samples]
            columns[head] = _mean_of(values[..., 0] if "species" in dataset.schema[name].dims else values)
    rows = [[f"{value:.4g}" for value in row] for row in zip(*columns.values(), strict=True)]
    return [f"means over {len(samples)} labelled sample(s), species 0:", *table([list(columns), *rows])]


def _mean_of(values: Array) -> Array:
    """Mean over samples, NaN where no sample has a value."""
    there = np.isfinite(values)
    total = np.where(there, values, 0.0).sum(axis=0)
    mean = np.full(total.shape, np.nan)
    np.divide(total, there.sum(axis=0), out=mean, where=there.any(axis=0))
    return mean


def _described(config: dict[str, Any]) -> list[str]:
    system = config.get("system", {})
    return [f"{key} {_in_short(system[key])}" for key in ("potential", "density", "composition") if key in system]


def _in_short(value: Any) -> str:
    """A value of the configuration with no more digits than a reader wants."""
    if isinstance(value, list):
        return f"[{', '.join(map(_in_short, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
