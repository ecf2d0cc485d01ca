"""The checker on flow files: a good one passes with a card, each broken rule is told."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from runkit.dataset.check import check
from runkit.dataset.contracts.flow import FLOW
from runkit.dataset.reader import Dataset
from tests.flow_factory import write_flow


@pytest.fixture
def path(tmp_path):
    return write_flow(tmp_path / "flow.h5", n_cases=3, n_frames=4)


def test_a_good_file_passes_with_a_card(path):
    report = check(path)
    assert report.good, str(report)
    assert all(told in report.card for told in ("FLOW version 1", "Re ", "bodies:", "mean drag"))


def _solid_cell(file: h5py.File) -> tuple[int, int]:
    return tuple(np.argwhere(file["t0_fields/fluid_fraction"][0] == 0)[0])


DAMAGES = {
    "dimensions/x does not ascend": lambda file: file["dimensions/x"].__setitem__(0, 99.0),
    "case 0: signed_distance is positive": (
        lambda file: file["t0_fields/signed_distance"].__setitem__((0, *_solid_cell(file)), 1.0)
    ),
    "case 0: cells without fluid are not at rest": (
        lambda file: file["t0_fields/density"].__setitem__((0, 1, *_solid_cell(file)), 1.01)
    ),
    "case 2: description is not JSON": lambda file: file["description"].__setitem__(2, b"{"),
    "t0_fields/density: 1 value(s) are not finite": (
        lambda file: file["t0_fields/density"].__setitem__((1, 0, 0, 0), np.nan)
    ),
}


@pytest.mark.parametrize("told", DAMAGES)
def test_damage_is_told(path, told):
    with h5py.File(path, "r+") as file:
        DAMAGES[told](file)
    report = check(path)
    assert not report.good and any(told in problem for problem in report.problems), report.problems


POINT_DAMAGES = {
    "points/velocity: the case has": (lambda file: file["points/velocity"].__setitem__((1, 2, 3), np.nan)),
    "case 0: points/signed_distance is positive at points without fluid": (
        lambda file: file["points/signed_distance"].__setitem__((0, _solid_point(file)), 1.0)
    ),
    "case 0: points without fluid are not at rest": (
        lambda file: file["points/density"].__setitem__((0, 1, _solid_point(file)), 1.01)
    ),
    "case 2: points/position: a point lies beyond the domain along y": (
        lambda file: file["points/position"].__setitem__((2, 0, 1), 33.0)
    ),
}


def _solid_point(file: h5py.File) -> int:
    return int(np.flatnonzero(file["points/fluid_fraction"][0] == 0)[0])


@pytest.mark.parametrize("told", POINT_DAMAGES)
def test_damage_to_points_is_told(tmp_path, told):
    path = write_flow(tmp_path / "flow.h5", n_cases=3, n_frames=4, n_points=240)
    with h5py.File(path, "r+") as file:
        POINT_DAMAGES[told](file)
    report = check(path)
    assert not report.good and any(told in problem for problem in report.problems), report.problems


def test_the_card_tells_how_many_points_there_are(tmp_path):
    report = check(write_flow(tmp_path / "flow.h5", n_cases=3, n_frames=4, n_points=240))
    assert report.good and "points near bodies: 192 to 224 in a case, in cells of 1 sites" in str(report), str(report)


def test_a_file_of_older_code_passes_without_what_came_later(path):
    """Fields that were added are optional, for the checker and for whoever asks for sizes."""
    with h5py.File(path, "r+") as file:
        for field in FLOW.fields:
            if field.optional and field.name in file:
                del file[field.name]
        del file["checksums"]
    report = check(path)
    assert report.good and "the file has no checksums" in str(report), str(report)
    with Dataset(path) as data:
        assert "scalars/measured_velocity" not in data and data.sizes["case"] == 3 and "body" not in data.sizes


def test_a_failed_case_that_looks_like_data_is_told(tmp_path):
    """Zeros in its fields, or a place among those that other readers take."""
    path = write_flow(tmp_path / "flow.h5", n_cases=3, n_frames=4, failed=(1,))
    assert check(path).good
    with h5py.File(path, "r+") as file:
        file["t0_fields/density"][1] = 0.0
        file.attrs["n_trajectories"] = 3
    told = "\n".join(check(path).problems)
    assert "case 1 has failed, but holds numbers" in told and "case 1 is no data" in told
