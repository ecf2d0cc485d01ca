"""FLOW_PREDICTION: what a network makes of a FLOW file; named as there, so that the two stand side by side."""

from __future__ import annotations

from runkit.dataset.contract import Contract
from runkit.dataset.schema import Field, Schema, contract
from runkit.dataset.the_well import frame_fields, grid_fields, groups_of, mask_fields

# fmt: off
FLOW_PREDICTION = Schema(
    name="FLOW_PREDICTION",
    version=1,
    fields=(
        *grid_fields(("x", "y")),
        *mask_fields(("x", "y")),
        Field("predicted", ("case",), "u1", "status", "prediction is there"),
        Field("case", ("case",), "i4", "1", "index of the case in the file that was predicted", low=0),
        Field("n_given", ("case",), "i4", "1", "first frames that were given, not predicted", low=1),
        *frame_fields(("x", "y"), "predicted"),
    ),
    groups=groups_of(("x", "y"), ()),
)
# fmt: on


@contract(FLOW_PREDICTION.name)
class FlowPrediction(Contract):
    """No rule beyond the ranges of its fields."""

    schema = FLOW_PREDICTION
