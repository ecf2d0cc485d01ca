"""The contracts of flow files: lbmgen's FLOW (and FLOW_3D), and FLOW_PREDICTION, what a network makes of it.

They are laid out as the_well specifies (https://github.com/PolymathicAI/the_well, docs/data_format.md), so that they open
in that ecosystem: fields by tensor order, constant fields without a time axis, scalars, masks of boundary conditions.
Units: lattice units of the simulated grid; site and step are its spacing and its time step.
"""
# ruff: noqa: E501  (a table is read by rows)

from __future__ import annotations

from runkit.dataset.schema import Field, Schema

FACES = "low", "high"
# What no sound flow shows: a larger speed, or a density farther from that of rest.
LARGEST_SPEED, LARGEST_DEVIATION = 0.3, 0.3


def _field(
    name: str,
    dims: tuple[str, ...],
    dtype: str,
    unit: str,
    doc: str,
    stage: str = "",
    low: float = float("-inf"),
    high: float = float("inf"),
    space: tuple[str, ...] = (),
    optional: bool = False,
) -> Field:
    """A field with the attributes that the_well reads from it; `space` names the axes that a field may vary along."""
    attributes: dict[str, object] = {"sample_varying": "case" in dims, "time_varying": "time" in dims}
    if space:
        attributes["dim_varying"] = [dim in dims for dim in space]
    return Field(name, dims, dtype, unit, doc, stage, low, high, attributes=attributes, optional=optional)


def _grid(space: tuple[str, ...]) -> tuple[Field, ...]:
    """Coordinates of frames and of stored cells."""
    return (
        _field("dimensions/time", ("time",), "f4", "step", "times of the frames, from the end of the warm-up", low=0.0),
        *(
            _field(f"dimensions/{axis}", (axis,), "f4", "site", "centres of the stored cells", low=0.0)
            for axis in space
        ),
    )


def _masks(space: tuple[str, ...]) -> tuple[Field, ...]:
    """Where boundary conditions hold; their types are attributes of the groups."""
    about = "where the condition holds along its axis"
    return tuple(
        _field(f"boundary_conditions/{axis}_{face}/mask", (axis,), "?", "1", about) for axis in space for face in FACES
    )


def _frames(space: tuple[str, ...], stage: str) -> tuple[Field, ...]:
    """What is known of a case on the stored grid."""
    cells, frames, vector = ("case", *space), ("case", "time", *space), str(len(space))
    return (
        _field(
            "t0_fields/signed_distance",
            cells,
            "f4",
            "site",
            "distance from the centre of the cell to the nearest obstacle surface, negative inside",
            stage,
            space=space,
        ),
        _field(
            "t0_fields/fluid_fraction",
            cells,
            "f4",
            "1",
            "fluid sites of the cell over all its sites",
            stage,
            0.0,
            1.0,
            space,
        ),
        _field(
            "t0_fields/density",
            frames,
            "f4",
            "lattice",
            "density, mean over the fluid sites of the cell; 1 where there are none",
            stage,
            0.0,
            space=space,
        ),
        _field(
            "t1_fields/velocity",
            (*frames, vector),
            "f4",
            "site/step",
            "velocity, mean over all sites of the cell, solid ones at rest",
            stage,
            -1.0,
            1.0,
            space,
        ),
    )


def _groups(space: tuple[str, ...], scalars: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """Attributes of the groups; that of a boundary, `bc_type`, is the run's."""
    faces = {
        f"boundary_conditions/{axis}_{face}": {
            "associated_dims": [axis],
            "associated_fields": [],
            "sample_varying": False,
            "time_varying": False,
        }
        for axis in space
        for face in FACES
    }
    return {
        "dimensions": {"spatial_dims": list(space)},
        "scalars": {"field_names": list(scalars)},
        "t0_fields": {"field_names": ["density", "signed_distance", "fluid_fraction"]},
        "t1_fields": {"field_names": ["velocity"]},
        "t2_fields": {"field_names": []},
        "boundary_conditions": {},
        **faces,
    }


# fmt: off
def _flow(name: str, space: tuple[str, ...]) -> Schema:
    scalars = (
        _field("scalars/reynolds_number", ("case",), "f8", "1", "velocity times length over viscosity, as drawn", "computed", 0.0),
        _field("scalars/length", ("case",), "f8", "site", "reference length: extent of the largest obstacle across the flow, or of the domain", "computed", 0.0),
        _field("scalars/velocity", ("case",), "f8", "site/step", "reference velocity: mean one of the inlet; that of a sliding wall if there is none; else nominal", "computed", 0.0),
        _field("scalars/viscosity", ("case",), "f8", "site^2/step", "kinematic viscosity", "computed", 0.0),
        _field("scalars/measured_velocity", ("case",), "f8", "site/step", "size of the velocity, averaged over fluid and stored frames", "computed", 0.0, optional=True),
        _field("scalars/measured_reynolds_number", ("case",), "f8", "1", "measured velocity times length over viscosity", "computed", 0.0, optional=True),
    )
    forces = ("drag", "lift", "side")[: len(space)]
    return Schema(
        name=name,
        version=1,
        fields=(
            *_grid(space),
            *_masks(space),
            Field("computed", ("case",), "u1", "status", "the case has been simulated to its end"),
            Field("description", ("case",), "S2048", "text", "the case as drawn: obstacles, inlet and relaxation, in JSON"),
            *scalars,
            *_frames(space, "computed"),
            Field("forces/time", ("force_time",), "f4", "step", "middle of the steps that a force is averaged over", low=0.0),
            *(Field(f"forces/{force}", ("case", "force_time"), "f8", "1", f"{force} coefficient by momentum exchange: force, beyond that of a fluid at rest with density 1, over rho velocity^2 area / 2; the area is length, in three dimensions length times length, or times the span of a body that goes through along z", "computed") for force in forces),
            *(Field(f"forces/body_{force}", ("case", "body", "force_time"), "f8", "1", f"{force} coefficient of each body, in the order of the description, with the same velocity and area; NaN where there is none", "computed", may_be_nan=True, optional=True) for force in forces),
            Field("failure", ("case",), "S160", "text", "why a case failed"),
        ),
        groups=_groups(space, tuple(field.name.removeprefix("scalars/") for field in scalars)),
    )


FLOW = _flow("FLOW", ("x", "y"))
FLOW_3D = _flow("FLOW_3D", ("x", "y", "z"))

# Named as in FLOW, so that the two stand side by side.
FLOW_PREDICTION = Schema(
    name="FLOW_PREDICTION",
    version=1,
    fields=(
        *_grid(("x", "y")),
        *_masks(("x", "y")),
        Field("predicted", ("case",), "u1", "status", "prediction is there"),
        Field("case", ("case",), "i4", "1", "index of the case in the file that was predicted", low=0),
        Field("n_given", ("case",), "i4", "1", "first frames that were given, not predicted", low=1),
        *_frames(("x", "y"), "predicted"),
    ),
    groups=_groups(("x", "y"), ()),
)
# fmt: on
