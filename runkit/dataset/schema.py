"""What a dataset file holds: fields with their dimensions, units and meaning; and the contracts of mdgen's files.

A file on disk is the only thing two rooms of this system share, so a contract is plain data: a `Schema` is a
tuple of `Field`s, and writer, reader and checker are all driven by it.
"""
# ruff: noqa: E501  (a table is read by rows)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Field:
    """One array of a file.

    `dims` name its axes; two fields that share a dimension name share its length. A digit is a fixed length
    (`"3"`). `low` and `high` bound every finite value; `stage` names the status field that says, along the axes the
    two share, which entries must be there, or "" for fields that are filled when the file is laid down.
    `may_be_nan` marks fields that are padded with NaN or hold undefined statistics; an `optional` field need not be
    there, since files of older code lack it.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    unit: str
    doc: str
    stage: str = ""
    low: float = float("-inf")
    high: float = float("inf")
    may_be_nan: bool = False
    optional: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)  # what other programs look for beside dims and unit

    def shape(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """Lengths of the axes, looked up by name in `sizes`."""
        return tuple(int(dim) if dim.isdigit() else sizes[dim] for dim in self.dims)


@dataclass(frozen=True)
class Schema:
    """A named, versioned set of fields; the version rises when a reader of the old one would be wrong.

    A field may lie in a group, "group/name"; `groups` gives attributes of groups.
    """

    name: str
    version: int
    fields: tuple[Field, ...]
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Field:
        for known in self.fields:
            if known.name == name:
                return known
        raise KeyError(f"schema {self.name} has no field {name!r}")

    @property
    def stages(self) -> tuple[Field, ...]:
        """The status fields: one flag per unit of work, PENDING, COMPLETE or FAILED."""
        return tuple(known for known in self.fields if known.unit == "status")


PENDING, COMPLETE, FAILED = 0, 1, 2

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
        Field("position", ("sample", "time", "replica", "particle", "3"), "f4", "sigma", "positions, unwrapped with respect to initial_position", "propagated"),
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
        Field("bond_change_reliability", ("sample", "time"), "f8", "1", "split-half reliability of bond_change over AA pairs with r_ij(0) < 1.35 (Spearman-Brown)", "labelled", may_be_nan=True, high=1.0),
        Field("mean_squared_displacement", ("sample", "time", "species"), "f8", "sigma^2", "mean over replicas and particles of a species", "labelled", low=0.0, may_be_nan=True),
        Field("overlap", ("sample", "time", "species"), "f8", "1", "fraction of a species displaced by less than 0.3", "labelled", low=0.0, high=1.0, may_be_nan=True),
        Field("self_scattering", ("sample", "time", "species"), "f8", "1", "self-intermediate scattering function F_s(q, t), isotropic average at wave_number q", "labelled", low=-1.0, high=1.0, may_be_nan=True),
        # what went wrong, for units marked FAILED
        Field("failure", ("sample",), "S160", "text", "why a sample failed, with stage and replica"),
    ),
)

# Named as in ISOCONFIG, so that the two stand side by side.
PREDICTION = Schema(
    name="PREDICTION",
    version=1,
    fields=(
        Field("time", ("time",), "f8", "tau_LJ", "times that are predicted", low=0.0),
        Field("sample", ("sample",), "i4", "1", "index of the sample in the file that was predicted", low=0),
        Field("predicted", ("sample",), "u1", "status", "prediction is there"),
        Field("propensity", ("sample", "time", "particle"), "f4", "sigma", "predicted replica mean of |r_i(t) - r_i(0)|", "predicted"),
        Field("n_bonds", ("sample",), "i4", "1", "neighbour pairs in use; the rest of axis bond is padding", "predicted", low=0),
        Field("bond", ("sample", "bond", "2"), "i4", "1", "particle indices i < j of the pairs, as in the file that was predicted; padding is -1", "predicted", low=-1),
        Field("bond_change", ("sample", "time", "bond"), "f4", "sigma", "predicted replica mean of |r_ij(t)| - |r_ij(0)|; NaN where none is made, and for padding", "predicted", may_be_nan=True),
    ),
)
# fmt: on
