"""PREDICTION: what a network makes of an ISOCONFIG file; named as there, so that the two stand side by side."""
# ruff: noqa: E501  (a table is read by rows)

from __future__ import annotations

from runkit.dataset.contract import Contract
from runkit.dataset.schema import Field, Schema, contract

# fmt: off
PREDICTION = Schema(
    name="PREDICTION",
    version=1,
    fields=(
        Field("time", ("time",), "f8", "tau_LJ", "times that are predicted", low=0.0),
        Field("sample", ("sample",), "i4", "1", "index of the sample in the file that was predicted", low=0),
        Field("species", ("sample", "particle"), "i1", "1", "species index: 0 is A, 1 is B", "predicted", low=0, optional=True),
        Field("box", ("sample", "3"), "f8", "sigma", "edges of the periodic box", "predicted", low=0.0, optional=True),
        Field("initial_position", ("sample", "particle", "3"), "f8", "sigma", "configuration that was predicted, wrapped into [0, box)", "predicted", optional=True),
        Field("predicted", ("sample",), "u1", "status", "prediction is there"),
        Field("propensity", ("sample", "time", "particle"), "f4", "sigma", "predicted replica mean of |r_i(t) - r_i(0)|", "predicted"),
        Field("n_bonds", ("sample",), "i4", "1", "neighbour pairs in use; the rest of axis bond is padding", "predicted", low=0),
        Field("bond", ("sample", "bond", "2"), "i4", "1", "particle indices i < j of the pairs, as in the file that was predicted; padding is -1", "predicted", low=-1),
        Field("bond_change", ("sample", "time", "bond"), "f4", "sigma", "predicted replica mean of |r_ij(t)| - |r_ij(0)|; NaN where none is made, and for padding", "predicted", may_be_nan=True),
    ),
)
# fmt: on


@contract(PREDICTION.name)
class Prediction(Contract):
    """No rule beyond the ranges of its fields."""

    schema = PREDICTION
