"""Fields and groups of files that are laid out as the_well specifies, so that they open in that ecosystem.

Fields by tensor order, constant fields without a time axis, scalars, masks of boundary conditions.
Source: https://github.com/PolymathicAI/the_well, docs/data_format.md.
Units: lattice units of the simulated grid; site and step are its spacing and its time step.
"""

from __future__ import annotations

from runkit.dataset.schema import Field

FACES = "low", "high"


def well_field(
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


def grid_fields(space: tuple[str, ...]) -> tuple[Field, ...]:
    """Coordinates of frames and of stored cells."""
    return (
        well_field(
            "dimensions/time", ("time",), "f4", "step", "times of the frames, from the end of the warm-up", low=0.0
        ),
        *(
            well_field(f"dimensions/{axis}", (axis,), "f4", "site", "centres of the stored cells", low=0.0)
            for axis in space
        ),
    )


def mask_fields(space: tuple[str, ...]) -> tuple[Field, ...]:
    """Where boundary conditions hold; their types are attributes of the groups."""
    about = "where the condition holds along its axis"
    return tuple(
        well_field(f"boundary_conditions/{axis}_{face}/mask", (axis,), "?", "1", about)
        for axis in space
        for face in FACES
    )


def frame_fields(space: tuple[str, ...], stage: str) -> tuple[Field, ...]:
    """What is known of a case on the stored grid."""
    cells, frames, inf = ("case", *space), ("case", "time", *space), float("inf")
    distance = "distance from the centre of the cell to the nearest obstacle surface, negative inside"
    density = "density, mean over the fluid sites of the cell; 1 where there are none"
    velocity = "velocity, mean over all sites of the cell, solid ones at rest"
    fields = (
        ("t0_fields/signed_distance", cells, "site", distance, -inf, inf),
        ("t0_fields/fluid_fraction", cells, "1", "fluid sites of the cell over all its sites", 0.0, 1.0),
        ("t0_fields/density", frames, "lattice", density, 0.0, inf),
        ("t1_fields/velocity", (*frames, str(len(space))), "site/step", velocity, -1.0, 1.0),
    )
    return tuple(
        well_field(name, dims, "f4", unit, doc, stage, low, high, space) for name, dims, unit, doc, low, high in fields
    )


def groups_of(space: tuple[str, ...], scalars: tuple[str, ...]) -> dict[str, dict[str, object]]:
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
