"""Write an XDMF file beside a FLOW file, so that ParaView and VisIt open it: no field is copied.

    python -m tools.export_xdmf data/flow.h5                # data/flow.xdmf and data/flow.points, the cells' centres
    python -m tools.export_xdmf data/flow.h5 case=[3, 5]    # these cases alone

Every complete case is a series in time with density, velocity, signed distance and the fluid part of cells, as values
at the centres of cells; velocity by components, in three dimensions also as vectors (XDMF has none of two). In
ParaView: File, Open, flow.xdmf, "XDMF Reader". The three files are to stay in one folder.

Source: https://www.xdmf.org/index.php/XDMF_Model_and_Format.
Units: lattice units, as in the file.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
from pydantic import Field

from runkit.cli import run_program
from runkit.config import Config
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from runkit.outputs import is_there, require_replaceable, starts_with, written_whole

Item = xml.Element
MARK = '<?xml version="1.0" ?>\n<!-- written by tools.export_xdmf -->\n'


class Export(Config):
    """Cases of a FLOW file as XDMF."""

    file: str = Field(description="FLOW or FLOW_3D file")
    case: list[int] = Field([], description="indices of cases; none: all that are complete")


def export(options: Export) -> None:
    """Write NAME.xdmf and NAME.points beside NAME.h5; files of these names that something else wrote are kept."""
    path = Path(options.file)
    with Dataset(path) as data:
        if data.schema.name not in ("FLOW", "FLOW_3D"):
            raise UserError(f"file: {path} holds {data.schema.name} data; FLOW is needed")
        cases = _cases(options, data)
        axes = [str(axis) for axis in data.schema.groups["dimensions"]["spatial_dims"]]
        centres = [data[f"dimensions/{axis}"][()] for axis in axes]
        n_frames = data.sizes["time"]
        root = xml.Element("Xdmf", Version="2.0")
        series = xml.SubElement(xml.SubElement(root, "Domain"), "Grid", Name="cases", GridType="Tree")
        for case in cases:
            _add_case(series, data, case, centres)
    _require_ours(path, path.with_suffix(".xdmf"), path.with_suffix(".points"))
    points = np.zeros((*map(len, centres), 3), "<f4")
    points[..., : len(axes)] = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1)
    xml.indent(root)
    text = MARK.encode() + xml.tostring(root) + b"\n"
    _write(path.with_suffix(".xdmf"), text)  # first: the other file is recognised by it
    _write(path.with_suffix(".points"), points.tobytes())
    print(f"wrote {path.with_suffix('.xdmf')}: {len(cases)} cases of {n_frames} frames")


def _cases(options: Export, data: Dataset) -> list[int]:
    status = data["computed"][()]
    complete: list[int] = np.flatnonzero(status == COMPLETE).tolist()
    wrong = [case for case in options.case if case not in complete]
    if wrong:
        raise UserError(f"case = {wrong[0]} of {data.path} is not complete, or not there; allowed: {complete}")
    if not complete:
        raise UserError(f"{data.path}: no case is complete")
    return options.case or complete


def _add_case(parent: Item, data: Dataset, case: int, centres: list[np.ndarray]) -> None:
    shape, name = tuple(map(len, centres)), data.path.name
    frames = xml.SubElement(parent, "Grid", Name=f"case {case}", GridType="Collection", CollectionType="Temporal")
    for k, time in enumerate(data["dimensions/time"][()]):
        grid = xml.SubElement(frames, "Grid", Name="cells", GridType="Uniform")
        xml.SubElement(grid, "Time", Value=f"{time:.9g}")
        xml.SubElement(grid, "Topology", TopologyType=f"{len(shape)}DSMesh", Dimensions=_words(shape))
        geometry = xml.SubElement(grid, "Geometry", GeometryType="XYZ")
        xml.SubElement(
            geometry, "DataItem", Format="Binary", Endian="Little", Precision="4", Dimensions=_words((*shape, 3))
        ).text = data.path.with_suffix(".points").name
        for field in ("signed_distance", "fluid_fraction"):
            scalar = xml.SubElement(grid, "Attribute", Name=field, Center="Node")
            _add_slab(scalar, data, f"t0_fields/{field}", (case,), name)
        density = xml.SubElement(grid, "Attribute", Name="density", Center="Node")
        _add_slab(density, data, "t0_fields/density", (case, k), name)
        if len(shape) == 3:
            vector = xml.SubElement(grid, "Attribute", Name="velocity", AttributeType="Vector", Center="Node")
            _add_slab(vector, data, "t1_fields/velocity", (case, k), name)
        for axis in range(len(shape)):
            part = xml.SubElement(grid, "Attribute", Name=f"velocity_{'xyz'[axis]}", Center="Node")
            _add_slab(part, data, "t1_fields/velocity", (case, k), name, axis)


def _add_slab(
    parent: Item, data: Dataset, field: str, first: tuple[int, ...], file: str, component: int | None = None
) -> None:
    """What lies behind the indices `first`, and in a vector one `component`, as start, stride and count."""
    whole = data[field].shape
    last = () if component is None else (component,)
    inner = whole[len(first) : len(whole) - len(last)]
    start, count = (*first, *[0] * len(inner), *last), (*[1] * len(first), *inner, *[1] * len(last))
    slab = xml.SubElement(parent, "DataItem", ItemType="HyperSlab", Dimensions=_words(inner))
    rows = xml.SubElement(slab, "DataItem", Format="XML", Dimensions=f"3 {len(whole)}")
    rows.text = " ".join(map(_words, (start, (1,) * len(whole), count)))
    kind = {"f": "Float", "u": "UChar"}[data[field].dtype.kind]
    array = xml.SubElement(
        slab, "DataItem", Format="HDF", NumberType=kind, Precision=str(data[field].dtype.itemsize),
        Dimensions=_words(whole),
    )  # fmt: skip
    array.text = f"{file}:/{field}"


def _words(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, numbers))


def _require_ours(source: Path, xdmf: Path, points: Path) -> None:
    """Raise UserError rather than replace a file that this program has not written, or that it reads."""
    require_replaceable(xdmf, starts_with(re.escape(MARK)), reads=[source])
    text = xdmf.read_text(errors="replace") if is_there(xdmf) else ""
    require_replaceable(points, lambda path: f">{path.name}<" in text, reads=[source])


def _write(path: Path, content: bytes) -> None:
    with written_whole(path) as beside:
        beside.write_bytes(content)


if __name__ == "__main__":
    run_program("python -m tools.export_xdmf", Export, export, positional=("file",))
