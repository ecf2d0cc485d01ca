"""What an XDMF file says of a FLOW file leads to the values that are there."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as xml

import h5py
import numpy as np
import pytest

from tests.flow_factory import write_flow
from tests.tools.conftest import tool


@pytest.fixture
def path(tmp_path) -> Path:
    return write_flow(tmp_path / "flow.h5", n_cases=3, n_frames=4, shape=(12, 10), failed=(2,))


def slab(item: xml.Element, folder: Path) -> np.ndarray:
    """What a hyperslab leads to, by the rules of XDMF."""
    rows, array = item
    start, stride, count = np.array(rows.text.split(), int).reshape(3, -1)
    name, _, field = array.text.partition(":")
    with h5py.File(folder / name) as file:
        assert list(file[field].shape) == [int(n) for n in array.get("Dimensions").split()]
        picked = file[field][tuple(slice(a, a + n * by, by) for a, by, n in zip(start, stride, count, strict=True))]
    return picked.reshape([int(n) for n in item.get("Dimensions").split()])


def test_times_places_and_values_are_those_of_the_file(path, tmp_path):
    """Of complete cases, frame by frame."""
    done = tool("export_xdmf", path)
    assert done.returncode == 0, done.stderr
    cases = xml.parse(tmp_path / "flow.xdmf").getroot().find("Domain/Grid").findall("Grid")
    assert [case.get("Name") for case in cases] == ["case 0", "case 1"]
    points = np.fromfile(tmp_path / "flow.points", "<f4").reshape(12, 10, 3)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(points[:, 3, 0], file["dimensions/x"])
        np.testing.assert_array_equal(points[5, :, 1], file["dimensions/y"])
        for i, case in enumerate(cases):
            times = [float(frame.find("Time").get("Value")) for frame in case]
            np.testing.assert_allclose(times, file["dimensions/time"])
            for k, frame in enumerate(case):
                found = {each.get("Name"): slab(each[0], tmp_path) for each in frame.findall("Attribute")}
                np.testing.assert_array_equal(found["density"], file["t0_fields/density"][i, k])
                np.testing.assert_array_equal(found["velocity_y"], file["t1_fields/velocity"][i, k, ..., 1])
                np.testing.assert_array_equal(found["signed_distance"], file["t0_fields/signed_distance"][i])


def test_what_cannot_be_exported_is_one_line(path, tmp_path):
    """A failed case; another kind of file; a file that something else has written."""
    assert "case = 2" in tool("export_xdmf", path, "case=2").stderr
    (tmp_path / "flow.points").write_text("mine")
    told = tool("export_xdmf", path)
    assert told.returncode == 2 and "flow.points is not a file of this program" in told.stderr
    assert (tmp_path / "flow.points").read_text() == "mine" and not (tmp_path / "flow.xdmf").exists()
    (tmp_path / "bad.h5").write_text("bad")
    assert tool("export_xdmf", tmp_path / "bad.h5").returncode == 2
