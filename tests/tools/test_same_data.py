"""Two files side by side: the same data, or which fields differ and by how much."""

from __future__ import annotations

import shutil

import h5py
import pytest

from tests.flow_factory import write_flow
from tests.isoconfig_factory import write_isoconfig
from tools.same_data import main


@pytest.fixture
def pair(tmp_path):
    one = write_isoconfig(tmp_path / "one.h5", n_samples=2)
    return str(one), shutil.copy(one, tmp_path / "other.h5")


def test_a_copy_holds_the_same_data(pair, capsys):
    with h5py.File(pair[1], "r+") as file:
        file.attrs["created"] = "on another day"
    assert main(pair) == 0 and "bit by bit" in capsys.readouterr().out


def test_one_bit_of_one_value_is_told(pair, capsys):
    """The sign of a zero too, which no comparison of numbers would see."""
    with h5py.File(pair[0], "r+") as one, h5py.File(pair[1], "r+") as other:
        one["time"][0], other["time"][0] = 0.0, -0.0
        other["propensity"][1, 0, 3] += 0.5
    assert main(pair) == 1
    told = capsys.readouterr().out
    assert "time: 0 of" in told and "propensity: 1 of" in told and "by up to 0.5" in told


def test_files_of_different_kinds_are_refused(pair, tmp_path, capsys):
    write_flow(tmp_path / "flow.h5")
    assert main([pair[0], str(tmp_path / "flow.h5")]) == 2 and "one kind" in capsys.readouterr().err
    assert main([pair[0]]) == 2 and "two files" in capsys.readouterr().err
