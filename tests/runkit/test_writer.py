"""Writing dataset files on one rank: layout, refusals, resumption. Several ranks: tests/mpi."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
from collections import namedtuple

import h5py
import numpy as np
import pytest

from runkit.dataset import claim as claim_module
from runkit.dataset import drivers, layout
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.errors import UserError
from tests.conftest import clean_environment
from tests.ensemble import ABOUT, CONFIG, SIZES, content, fill, open_writer, raw, whole_file


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.h5"
    writer = open_writer(path)
    assert writer.state == "new" and not path.exists() and (tmp_path / "a.h5.part").exists()
    fill(writer)
    writer.seal()
    assert os.listdir(tmp_path) == ["a.h5"]
    for name, values in content().items():
        np.testing.assert_array_equal(Dataset(path)[name][()], values)


def test_the_layout_is_whole_contiguous_and_described(tmp_path):
    open_writer(tmp_path / "a.h5").close()
    with h5py.File(tmp_path / "a.h5.part") as file:
        assert (file.attrs["schema"], file.attrs["schema_version"], file.attrs["seed"]) == ("ISOCONFIG", 1, 7)
        assert {"code_version", "created", "hdf5_version", "h5py_version", "mpi_library", "config"} <= set(file.attrs)
        ends = []
        for field in ISOCONFIG.fields:
            dataset = file[field.name]
            assert dataset.shape == field.shape(SIZES) and dataset.dtype == np.dtype(field.dtype).newbyteorder("<")
            assert dataset.attrs["dims"].tolist() == list(field.dims)
            assert (dataset.attrs["unit"], dataset.attrs["doc"]) == (field.unit, field.doc)
            ends.append(dataset.id.get_offset() + dataset.nbytes)
            assert not np.any(dataset[()].view(np.uint8)), "a fresh file reads as zeros"
    assert max(ends) <= (tmp_path / "a.h5.part").stat().st_size


def test_a_file_that_is_cut_in_mid_run_is_neither_read_nor_written(tmp_path):
    writer = open_writer(tmp_path / "a.h5")
    os.truncate(tmp_path / "a.h5.part", 5000)
    for use in (lambda: writer.read("box"), lambda: writer.write("box", (0,), np.ones(3)), writer.close):
        with pytest.raises(UserError, match=r"a\.h5\.part was truncated in mid-run"):
            use()


def test_a_large_layout_takes_no_room_before_it_is_filled(tmp_path):
    sizes = SIZES | {"particle": 100_000, "replica": 32}
    layout.lay_down(tmp_path / "a.h5", ISOCONFIG, sizes, ABOUT, {})
    status = (tmp_path / "a.h5").stat()
    assert status.st_size > layout.n_bytes(ISOCONFIG, sizes) > 300e6 and status.st_blocks * 512 < 1e6


def test_an_unfinished_file_is_resumed(tmp_path):
    with open_writer(tmp_path / "a.h5") as writer:
        writer.write("box", 1, [1, 2, 3])
        writer.mark("equilibrated", 1, COMPLETE)
    with open_writer(tmp_path / "a.h5") as writer:
        assert writer.state == "resumed" and writer.read("box", 1).tolist() == [1, 2, 3]
        assert writer.read("equilibrated").tolist() == [0, COMPLETE, 0]
        fill(writer)
        writer.seal()
    assert raw(tmp_path / "a.h5") != {} and not (tmp_path / "a.h5.part").exists()


def test_a_complete_file_is_not_written_again(tmp_path):
    before = raw(whole_file(tmp_path / "a.h5"))
    with open_writer(tmp_path / "a.h5") as writer:
        assert writer.finished
        with pytest.raises(RuntimeError, match="is complete: nothing can be written"):
            writer.write("box", 0, [1, 1, 1])
    assert raw(tmp_path / "a.h5") == before


@pytest.mark.parametrize("complete", [False, True])
def test_another_configuration_is_refused_with_the_keys_that_differ(tmp_path, complete):
    if complete:
        whole_file(tmp_path / "a.h5")
    else:
        open_writer(tmp_path / "a.h5").close()
    other = CONFIG | {"output": "b.h5", "system": {"density": 1.1, "potential": "kob-andersen"}}
    with pytest.raises(UserError, match=r"system.density = 1.2 in the file, 1.1 now") as caught:
        open_writer(tmp_path / "a.h5", attributes=ABOUT | {"config": other}, free_keys=("output",))
    assert "potential" not in str(caught.value) and "b.h5" not in str(caught.value)
    other["system"]["density"] = 1.2
    open_writer(tmp_path / "a.h5", attributes=ABOUT | {"config": other}, free_keys=("output",)).close()


def test_a_file_that_is_not_ours_is_never_overwritten(tmp_path):
    for name in ("a.h5", "b.h5.part"):
        (tmp_path / name).write_text("precious")
        with pytest.raises(UserError, match="cannot be read as HDF5"):
            open_writer(tmp_path / name.removesuffix(".part"))
        assert (tmp_path / name).read_text() == "precious"


def test_two_runs_on_one_file_are_refused(tmp_path):
    with open_writer(tmp_path / "a.h5"), pytest.raises(UserError, match=r"a\.h5\.part is being written by another run"):
        open_writer(tmp_path / "a.h5")
    open_writer(tmp_path / "a.h5").close()


def test_a_lock_is_not_lost_when_its_file_vanishes_between_opening_and_locking(tmp_path, monkeypatch):
    calls = []

    def flock(descriptor, operation):
        if not calls:
            (tmp_path / "a.h5.part.lock").unlink()
        calls.append(operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with open_writer(tmp_path / "a.h5"):
        assert len(calls) == 2 and (tmp_path / "a.h5.part.lock").exists()


def test_a_file_that_another_run_finished_meanwhile_is_left_alone(tmp_path, monkeypatch):
    path = whole_file(tmp_path / "b.h5")
    real = claim_module.FileLock

    def late(lock_path):
        path.rename(tmp_path / "a.h5")
        return real(lock_path)

    monkeypatch.setattr(claim_module, "FileLock", late)
    assert open_writer(tmp_path / "a.h5").finished and os.listdir(tmp_path) == ["a.h5"]


def test_a_place_where_nothing_can_be_written_is_told(tmp_path):
    (tmp_path / "a.h5.part.lock").mkdir()
    with pytest.raises(UserError, match=r"a\.h5\.part\.lock is a folder, not a file"):
        open_writer(tmp_path / "a.h5")


def test_a_missing_directory_is_told(tmp_path):
    with pytest.raises(UserError, match=r"cannot write .*none/a.h5: directory .*none does not exist"):
        open_writer(tmp_path / "none" / "a.h5")


def test_too_small_a_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(0, 0, 5000)
    monkeypatch.setattr(layout.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"has 5 kB free, the file needs 1.\d+ MB"):
        open_writer(tmp_path / "a.h5")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("driver", ["auto", "posix"])
def test_a_write_that_the_disk_refuses_names_field_and_place(tmp_path, driver):
    """A limit on the size of files stands for a full disk."""
    writer = open_writer(tmp_path / "a.h5", driver=driver)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(UserError, match=r"self_scattering\[2, 1\] cannot be written to .*a\.h5\.part: "):
            writer.write("self_scattering", (2, 1), np.zeros(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_wrong_shapes_types_and_places_are_errors_of_the_program(tmp_path):
    with open_writer(tmp_path / "a.h5") as writer:
        with pytest.raises(ValueError, match=r"box\[0\] has shape \(3,\), not \(2,\)"):
            writer.write("box", 0, [1, 2])
        with pytest.raises(TypeError, match="Cannot cast"):
            writer.write("n_bonds", 0, 1.5)
        with pytest.raises(IndexError):
            writer.write("box", 3, [1, 2, 3])
        with pytest.raises(KeyError):
            writer.write("colour", 0, 1)


def test_a_file_with_pending_units_is_not_sealed(tmp_path):
    with open_writer(tmp_path / "a.h5") as writer:
        for sample in range(3):
            writer.mark("equilibrated", sample, FAILED)
        with pytest.raises(UserError, match="pending units: propagated: 6, labelled: 3"):
            writer.seal()


def test_an_unknown_driver_is_refused(tmp_path):
    with pytest.raises(UserError, match="driver = 'fast' is not allowed; allowed: auto, mpio, posix"):
        open_writer(tmp_path / "a.h5", driver="fast")


def test_a_file_system_without_mpi_io_is_written_plainly(tmp_path, monkeypatch):
    def refuse(world, path):
        raise OSError("no MPI-IO here")

    monkeypatch.setattr(drivers, "_has_mpio", lambda world: True)
    monkeypatch.setattr(drivers, "MpioDriver", refuse)
    with open_writer(tmp_path / "a.h5") as writer:
        assert writer.method == "plain writes at known offsets"
    with pytest.raises(UserError, match=r"a\.h5\.part cannot be opened through MPI-IO: no MPI-IO here"):
        open_writer(tmp_path / "a.h5", driver="mpio")


def test_data_are_on_disk_before_their_flag_is_written(tmp_path, monkeypatch):
    with open_writer(tmp_path / "a.h5", driver="posix") as writer:
        seen = []
        real = os.fsync
        monkeypatch.setattr(
            os, "fsync", lambda descriptor: (seen.append(writer.read("equilibrated", 0)), real(descriptor))
        )
        writer.mark("equilibrated", 0, COMPLETE)
        assert seen == [0] and writer.read("equilibrated", 0) == COMPLETE


@pytest.mark.parametrize("moment", ["layout.put_in_place", "os.fsync", "os.replace"])
def test_a_kill_during_layout_leaves_nothing_or_a_whole_file(tmp_path, moment):
    code = (
        "import os, runkit.dataset.layout as layout; from tests.ensemble import open_writer\n"
        f"{moment} = lambda *arguments: os.kill(os.getpid(), 9)\n"
        "open_writer('a.h5')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=clean_environment(), timeout=60)
    assert done.returncode == -signal.SIGKILL
    with open_writer(tmp_path / "a.h5") as writer:
        fill(writer)
        writer.seal()
    assert raw(tmp_path / "a.h5") == raw(whole_file(tmp_path / "b.h5"))
