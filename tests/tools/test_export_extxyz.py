"""Extended XYZ: what viewers show, and mdgen reads back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mdgen.formats import read
from runkit.dataset.reader import Dataset
from runkit.extxyz import letters, write_frame
from tests.isoconfig_factory import write_isoconfig
from tests.tools.conftest import tool


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_isoconfig(tmp_path_factory.mktemp("data") / "ours.h5", n_samples=2, n_times=3)


def columns(path: Path, frame: int) -> tuple[str, np.ndarray]:
    """Header and numbers (after the species) of a frame."""
    lines = path.read_text().splitlines()
    n = int(lines[0])
    first = frame * (n + 2)
    assert len(lines) % (n + 2) == 0 and lines[first] == str(n)
    return lines[first + 1], np.array([line.split()[1:] for line in lines[first + 2 : first + 2 + n]], float)


def test_a_frame_per_time_holds_structure_and_labels(dataset, tmp_path):
    """mdgen reads the one configuration that it is; the columns are those that the header names."""
    path = tmp_path / "a.xyz"
    assert tool("export_extxyz", dataset, path, "sample=1").returncode == 0
    found = read(path)
    with Dataset(dataset) as data:
        assert len(found) == 1 and found[0].temperature == data["temperature"][1]
        assert found[0].position == pytest.approx(data["initial_position"][1], abs=1e-7)
        assert np.array_equal(found[0].species, data["species"][1])
        assert found[0].box == pytest.approx(data["box"][1])
        header, numbers = columns(path, 2)
        assert "Properties=species:S:1:pos:R:3:propensity:R:1:propensity_error:R:1" in header and "Time=100" in header
        assert numbers[:, 3] == pytest.approx(data["propensity"][1, 2], rel=1e-6)
        assert numbers[:, 4] == pytest.approx(data["propensity_error"][1, 2], rel=1e-6)


def test_a_trajectory_begins_at_rest_and_is_unwrapped(dataset, tmp_path):
    path = tmp_path / "b.xyz"
    done = tool("export_extxyz", dataset, path, "positions=replica", "replica=3")
    assert "wrote 4 frames" in done.stdout, done.stderr
    with Dataset(dataset) as data:
        _, start = columns(path, 0)
        assert start[:, :3] == pytest.approx(data["initial_position"][0], abs=1e-7) and not start[:, 3:].any()
        _, last = columns(path, 3)
        assert last[:, :3] == pytest.approx(data["position"][0, 2, 3], abs=1e-5)
        assert last[:, 3:6] == pytest.approx(last[:, :3] - start[:, :3], abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["sample=2"], "sample = 2 is not in"),
        (["positions=replica", "replica=4"], "replica = 4 is not in"),
        (["positions=cage"], "positions = 'cage' is not allowed"),
    ],
)
def test_mistakes_are_one_line(dataset, tmp_path, settings, told):
    done = tool("export_extxyz", dataset, tmp_path / "c.xyz", *settings)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1


def test_any_number_of_species_has_names_that_are_words(tmp_path):
    """There are 26 letters; a name with a space in it would break the row."""
    species = np.arange(128)
    with (tmp_path / "many.xyz").open("w") as stream:
        write_frame(stream, np.full(3, 20.0), {}, {"species": letters(species), "pos": np.full((128, 3), 0.5)})
    rows = [line.split() for line in (tmp_path / "many.xyz").read_text().splitlines()[2:]]
    assert all(len(row) == 4 for row in rows) and len({row[0] for row in rows}) == 128
    assert [row[0] for row in rows[24:28]] == ["Y", "Z", "26", "27"]
