"""The checker: good files pass, each kind of damage is told."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from runkit.dataset import check as check_module
from runkit.dataset.check import check, main
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.schema import COMPLETE, FAILED, PENDING
from tests.ensemble import ABOUT, fill, open_writer, whole_file
from tests.renew import renew


@pytest.fixture
def path(tmp_path):
    return whole_file(tmp_path / "a.h5")


def test_a_good_file_passes_with_a_card(path, capsys):
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    for told in ("ISOCONFIG version 1, complete", "seed 7", "sample 3", "kob-andersen", "labelled", "reliability"):
        assert told in out
    assert "all checks passed" in out


def test_an_unfinished_file_may_have_pending_units(tmp_path):
    open_writer(tmp_path / "a.h5").close()
    report = check(tmp_path / "a.h5.part")
    assert report.good and "unfinished" in report.card


DAMAGES = {
    "position: 1 value(s) are not finite, the first at sample 1, time 2, replica 0, particle 3, 3 1": (
        lambda file: file["position"].__setitem__((1, 2, 0, 3, 1), np.nan)
    ),
    "propensity_error: 1 value(s) are not finite": lambda file: file["propensity_error"].__setitem__((0, 0, 0), np.inf),
    "overlap: 2 value(s) are above 1": lambda file: file["overlap"].__setitem__((2, 1), 1.5),
    "kinetic_energy: 6 value(s) are below 0": lambda file: file["kinetic_energy"].__setitem__(1, -1.0),
    "propagated: 1 of 6 unit(s) are pending": lambda file: file["propagated"].__setitem__((0, 0), PENDING),
    "labelled has 1 flag(s) that are not 0, 1 or 2": lambda file: file["labelled"].__setitem__(0, 9),
    "field box is missing": lambda file: file.__delitem__("box"),
    "position has unit nm, not sigma": lambda file: file["position"].attrs.__setitem__("unit", "nm"),
    "sample 1: initial_position is not wrapped": lambda file: file["initial_position"].__setitem__((1, 0, 0), 99.0),
    "sample 2: box [0.0, 0.0, 0.0] is not positive": lambda file: file["box"].__setitem__(2, 0.0),
    "sample 0: species has indices beyond 1": lambda file: file["species"].__setitem__((0, 0), 5),
    "time does not ascend": lambda file: file["time"].__setitem__(0, 50.0),
    "sample 0: n_bonds is 9, but there is room for 5": lambda file: file["n_bonds"].__setitem__(0, 9),
    "sample 0: bond has entries beyond n_bonds = 2": lambda file: file["n_bonds"].__setitem__(0, 2),
    "sample 1: bond is not in lexicographic order": lambda file: file["bond"].__setitem__((1, 0), (3, 5)),
    "sample 1: bond has pairs that are not 0 <= i < j": lambda file: file["bond"].__setitem__((1, 0), (3, 3)),
    "sample 2: bond_change is not finite": lambda file: file["bond_change"].__setitem__((2, 0, 0), np.nan),
}


@pytest.mark.parametrize("told", DAMAGES)
def test_damage_is_told(path, told):
    with h5py.File(path, "r+") as file:
        DAMAGES[told](file)
    report = check(path)
    assert not report.good and told in "\n".join(report.problems)


def test_another_type_or_shape_is_told(path):
    with h5py.File(path, "r+") as file:
        attributes = dict(file["box"].attrs)
        del file["box"]
        file.create_dataset("box", shape=(2, 3), dtype="f4").attrs.update(attributes)
    told = "\n".join(check(path).problems)
    assert "box has type float32, not float64" in told and "box: dimension sample has length" in told


def test_values_of_failed_units_do_not_count_and_the_reason_is_told(tmp_path):
    path = whole_file(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["position"][1, :, 0] = np.inf
        file["propagated"][1, 0] = FAILED
        file["failure"][1] = b"propagate, replica 0: energy exploded"
    report = check(renew(path))
    assert report.good and "sample 1 failed: propagate, replica 0: energy exploded" in report.card
    with h5py.File(path, "r+") as file:
        file["propagated"][1, 0] = COMPLETE
    assert not check(renew(path)).good


def test_absent_fields_are_not_checked(tmp_path):
    with open_writer(tmp_path / "a.h5", attributes=ABOUT | {"absent": ["kinetic_energy"]}) as writer:
        fill(writer)
        writer.write("kinetic_energy", (), np.full((3, 3, 2), np.nan))
        writer.seal()
    report = check(renew(tmp_path / "a.h5"))
    assert report.good and "without kinetic_energy" in report.card


def test_large_fields_are_checked_piece_by_piece(path, monkeypatch):
    monkeypatch.setattr(check_module, "_PIECE", 10)
    assert check(path).good
    with h5py.File(path, "r+") as file:
        file["position"][2, 0, 0, 0, 0] = np.nan
    assert "the first at sample 2, time 0" in check(renew(path)).problems[0]


def test_every_truncation_is_noticed(path, tmp_path):
    content = path.read_bytes()
    for length in range(0, len(content), 997):
        (tmp_path / "t.h5").write_bytes(content[:length])
        assert not check(tmp_path / "t.h5").good


def test_exit_codes_tell_bad_files_from_wrong_usage(tmp_path, capsys):
    (tmp_path / "bad.h5").write_text("bad")
    assert main([str(tmp_path / "bad.h5")]) == 1
    for arguments in ([], [str(tmp_path / "none.h5")]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2


def test_every_stage_of_a_field_is_a_status_field_with_axes_of_that_field():
    for field in ISOCONFIG.fields:
        if field.stage:
            assert set(ISOCONFIG[field.stage].dims) <= set(field.dims)
