"""Checkpoints: whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from runkit.checkpoint import load_arrays, save_arrays
from runkit.dataset.scratch import Scratch
from runkit.errors import UserError


def test_arrays_come_back_bit_by_bit(tmp_path):
    arrays = {"a": np.linspace(0, 1, 7), "b": np.array(3), "c": np.array([np.nan, -0.0], "f4"), "d": np.bytes_(b"xy")}
    save_arrays(tmp_path / "c.npz", **arrays)
    loaded = load_arrays(tmp_path / "c.npz")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].tobytes() == np.asarray(array).tobytes() and loaded[name].dtype == np.asarray(array).dtype


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path):
    save_arrays(tmp_path / "c.npz", a=1)
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        save_arrays(tmp_path / "c.npz", a=np.array([{}, None]))
    assert load_arrays(tmp_path / "c.npz")["a"] == 1


def test_a_truncated_checkpoint_is_refused_at_every_length(tmp_path):
    path = tmp_path / "c.npz"
    save_arrays(path, a=np.arange(50), b=np.ones(3))
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="damaged or foreign"):
            load_arrays(path)


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "c.npz"
    save_arrays(path, a=np.arange(1000.0))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged or foreign"):
        load_arrays(path)


def test_pickled_and_foreign_files_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", a=np.array([{"x": 1}], dtype=object))
    np.save(tmp_path / "single.npy", np.ones(3))
    for name in ("p.npz", "single.npy"):
        with pytest.raises(UserError, match="damaged or foreign"):
            load_arrays(tmp_path / name)


def test_missing_files_and_directories_are_told(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        load_arrays(tmp_path / "none.npz")
    with pytest.raises(UserError, match="cannot be written: No such file"):
        save_arrays(tmp_path / "none" / "c.npz", a=1)


def test_the_note_on_a_damaged_checkpoint_says_why_whatever_its_folder_is_called(tmp_path, capsys):
    scratch = Scratch(tmp_path / "run (1)")
    scratch.save("c.npz", a=np.zeros(3))
    (tmp_path / "run (1)/c.npz").write_bytes(b"no archive")
    assert scratch.load("c.npz", lambda arrays: "") is None
    assert "is damaged (File is not a zip file): what it belongs to starts anew" in capsys.readouterr().out
