"""Data that were changed after they were written: told by unit and field, and made again to the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xxhash

from runkit.dataset import checksums
from runkit.dataset.check import check, main
from runkit.dataset.checksums import covered, fields_of_sums, header_fields, sums_of
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.schema import COMPLETE, FAILED, PENDING, contract
from tests.ensemble import content, fill, open_writer, raw, whole_file

# Stage, unit and index of one value of each field of the tiny file that a stage fills.
PLACES = {
    field.name: (stage, (1, 1)[: len(stage.dims)], tuple(1 if dim in stage.dims else 0 for dim in field.dims))
    for stage in ISOCONFIG.stages
    for field in covered(ISOCONFIG, stage)
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return whole_file(tmp_path_factory.mktemp("whole") / "a.h5")


def flip(path: Path, name: str, index: tuple[int, ...]) -> None:
    """Change the lowest bit of a value."""
    with h5py.File(path, "r+") as file:
        value = bytearray(file[name][index].tobytes().ljust(file[name].dtype.itemsize, b"\0"))
        value[0] ^= 1
        file[name][index] = np.frombuffer(value, file[name].dtype)[0]


def unsealed(whole: Path, folder: Path) -> Path:
    shutil.copy(whole, folder / "a.h5.part")
    return folder / "a.h5.part"


def finish(folder: Path) -> dict[str, bytes]:
    with open_writer(folder / "a.h5") as writer:
        assert writer.state == "resumed"
        fill(writer)
        writer.seal()
    return raw(folder / "a.h5")


@pytest.mark.parametrize("name", contract.names())
def test_every_field_of_every_contract_is_covered_once(name):
    schema = contract.build(name).schema
    names = [name for array in fields_of_sums(schema) for name in array.attributes["fields"]]
    assert sorted(names) == sorted(field.name for field in schema.fields if field.unit != "status")


@pytest.mark.parametrize("name", PLACES)
def test_a_bit_that_changes_is_told_by_unit_and_field(whole, tmp_path, name):
    stage, unit, index = PLACES[name]
    path = shutil.copy(whole, tmp_path / "a.h5")
    flip(path, name, index)
    told = ", ".join(f"{dim} {number}" for dim, number in zip(stage.dims, unit, strict=True))
    (problem,) = [problem for problem in check(path).problems if "changed after the unit" in problem]
    assert problem == f"{told}: {name}: changed after the unit was written"


@pytest.mark.parametrize("field", header_fields(ISOCONFIG), ids=lambda field: field.name)
def test_a_bit_that_changes_in_what_belongs_to_no_unit_is_told(whole, tmp_path, field):
    path = shutil.copy(whole, tmp_path / "a.h5")
    flip(path, field.name, (0,))
    assert any(problem.startswith(field.name) for problem in check(path).problems)
    assert main(["--repair", str(path)]) == 0 and finish(tmp_path) == raw(whole)


@pytest.mark.parametrize("name", PLACES)
def test_a_changed_unit_of_an_unfinished_file_is_made_again(whole, tmp_path, name, capsys):
    flip(unsealed(whole, tmp_path), name, PLACES[name][2])
    assert finish(tmp_path) == raw(whole)
    assert capsys.readouterr().err.count(f"{name} changed since it was written: the unit is made again") == 1


@pytest.mark.parametrize("flag", [PENDING, FAILED, 3, 255])
@pytest.mark.parametrize("stage", ISOCONFIG.stages, ids=lambda stage: stage.name)
def test_a_status_that_changes_is_put_right(whole, tmp_path, stage, flag, capsys):
    with h5py.File(unsealed(whole, tmp_path), "r+") as file:
        file[stage.name][(1, 1)[: len(stage.dims)]] = flag
    assert finish(tmp_path) == raw(whole)
    assert capsys.readouterr().err.count(f"{stage.name} (the status) changed") == (flag != PENDING)


def test_a_pending_unit_that_is_marked_complete_from_outside_is_made(whole, tmp_path):
    open_writer(tmp_path / "a.h5").close()
    with h5py.File(tmp_path / "a.h5.part", "r+") as file:
        for stage in ISOCONFIG.stages:
            file[stage.name][...] = COMPLETE
    assert finish(tmp_path) == raw(whole)


def test_a_repaired_file_is_finished_to_the_same_file_byte_for_byte(whole, tmp_path, capsys):
    path = shutil.copy(whole, tmp_path / "a.h5")
    for name in ("position", "inherent_energy", "bond_change"):
        flip(path, name, PLACES[name][2])
    assert main([str(path)]) == 1
    assert main(["--repair", str(path)]) == 0 and "3 unit(s) will be made again" in capsys.readouterr().out
    assert not path.exists() and check(tmp_path / "a.h5.part").good
    finish(tmp_path)
    assert path.read_bytes() == whole.read_bytes()
    assert main(["--repair", str(path)]) == 0 and "nothing to repair" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("why", "told"), [("attributes", "attributes"), ("older", "no checksums"), ("part", "already")]
)
def test_what_cannot_be_repaired_is_refused_and_stays(whole, tmp_path, why, told, capsys):
    path = shutil.copy(whole, tmp_path / "a.h5")
    flip(path, "position", PLACES["position"][2])
    with h5py.File(path, "r+") as file:
        if why == "attributes":
            file.attrs["config"] = file.attrs["config"].replace("1.2", "1.3")
        if why == "older":
            del file["checksums"]
    if why == "part":
        (tmp_path / "a.h5.part").touch()
    before = path.read_bytes()
    assert main(["--repair", str(path)]) == 2 and told in capsys.readouterr().err
    assert path.read_bytes() == before
    assert check(path).good == (why == "older")


def test_a_file_of_older_code_is_finished_without_checksums(whole, tmp_path):
    with h5py.File(unsealed(whole, tmp_path), "r+") as file:
        del file["checksums"]
        file["labelled"][1] = PENDING
    with open_writer(tmp_path / "a.h5") as writer:
        fill(writer)
        writer.seal()
    report = check(tmp_path / "a.h5")
    assert report.good and any("no checksums" in what for what in report.not_checked)


def test_arrays_of_checksums_that_are_damaged_are_refused(whole, tmp_path):
    with h5py.File(unsealed(whole, tmp_path), "r+") as file:
        del file["checksums/labelled"]
    assert not check(tmp_path / "a.h5.part").good
    with pytest.raises(Exception, match="its checksums are damaged"):
        open_writer(tmp_path / "a.h5")


@pytest.mark.parametrize("piece", [1, 50, 1 << 24])
def test_a_checksum_is_that_of_the_bytes_in_c_order_however_they_are_read(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(checksums, "PIECE", piece)
    path, values = whole_file(tmp_path / "a.h5"), content()
    names = [field.name for field in covered(ISOCONFIG, ISOCONFIG["propagated"])]
    with h5py.File(path) as file:
        found = file[sums_of("propagated")][2, 1].tolist()
    parts = [values[name][2, 1] if values[name].ndim == 2 else values[name][2, :, 1] for name in names]
    assert found == [xxhash.xxh3_64_intdigest(np.ascontiguousarray(part).tobytes(), seed=COMPLETE) for part in parts]
