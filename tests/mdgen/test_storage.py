"""Files without trajectories: the same labels, byte for byte, in a file that is small enough to be shared."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from dtrain.data.glass import Glass, GlassOptions
from mdgen import storage
from mdgen.config import RunConfig
from mdgen.plan import show
from mdgen.run import generate
from runkit.config import load
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.conftest import Mpiexec
from tests.ensemble import raw
from tests.tools.conftest import tool

CASE = (
    "seed=5", "device=cpu", "system.n_particles=160", "system.temperature=0.8", "initial.melt_time=0.1",
    "initial.cooling_time=0.1", "initial.hold_time=0.1", "production.n_samples=2", "production.n_replicas=3",
    "production.times=[0.05, 0.2]",
)  # fmt: skip


def settings(folder: Path, store: str, *more: str) -> list[str]:
    return [*CASE, f"output={folder / store}.h5", f"production.store={store}", *more]


def make(folder: Path, store: str) -> Path:
    config = load(RunConfig, None, settings(folder, store))
    assert generate(SerialWorld(), config) == 0
    return folder / f"{store}.h5"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One case with and without positions."""
    folder = tmp_path_factory.mktemp("store")
    return make(folder, "all"), make(folder, "labels")


def test_labels_have_the_same_bytes_as_with_positions(both):
    whole, labels = raw(both[0]), raw(both[1])
    assert set(whole) - set(labels) == {"position"}
    sums = {name for name in labels if name.startswith("checksums")}
    assert all(labels[name] == whole[name] for name in set(labels) - sums)


def test_the_file_is_smaller_by_the_positions_and_alone(both):
    """Nothing is left beside it."""
    n_bytes = 2 * 2 * 3 * 160 * 3 * 4  # samples, times, replicas, particles, axes, float32
    sizes = [path.stat().st_size for path in both]
    assert sizes[0] - sizes[1] == pytest.approx(n_bytes, abs=4096)
    assert {path.name for path in both[1].parent.iterdir()} == {"all.h5", "labels.h5"}


def test_a_check_knows_what_was_left_out(both):
    report = check(both[1])
    assert report.good, str(report)
    assert "labels without the positions of replicas" in str(report)
    assert not report.not_checked and "without the positions" not in str(check(both[0]))


def test_networks_learn_from_labels_alone(both):
    options = GlassOptions(file=str(both[1]), time=1, split={"train": 1, "validation": 1, "test": 0})
    assert Glass(options).example(0).node_target.shape == (160,)


def test_what_needs_positions_is_refused_in_one_line(both):
    with Dataset(both[1]) as data, pytest.raises(UserError, match="has no position: that was left out"):
        data["position"]
    done = tool("export_extxyz", both[1], both[1].parent / "x.xyz", "positions=replica")
    assert done.returncode == 2 and "has no position: that was left out" in done.stderr, done.stderr


def test_a_run_again_finds_it_complete(both, capsys):
    before = both[1].read_bytes()
    make(both[1].parent, "labels")
    assert "is complete already" in capsys.readouterr().out and both[1].read_bytes() == before


def test_another_store_is_another_case(both):
    config = load(RunConfig, None, [*settings(both[0].parent, "labels"), f"output={both[0]}"])
    with pytest.raises(UserError, match=r"production\.store = 'all' in the file, 'labels' now"):
        generate(SerialWorld(), config)


def test_a_run_that_was_killed_while_it_copied_goes_on(both, tmp_path):
    """After six of ten units; then the same command copies the others and gives the same file."""
    copy, done = storage._copy_unit, []

    def until(*arguments: object) -> None:
        done.append(arguments)
        if len(done) > 6:
            raise KeyboardInterrupt
        copy(*arguments)

    with patch.object(storage, "_copy_unit", until), pytest.raises(KeyboardInterrupt):
        make(tmp_path, "labels")
    assert {path.name for path in tmp_path.glob("*.part")} == {"labels.h5.part", "labels.whole.h5.part"}
    with patch.object(storage, "_copy_unit", wraps=copy) as rest:
        ours, theirs = raw(make(tmp_path, "labels")), raw(both[1])
    assert ours == theirs and {path.name for path in tmp_path.iterdir()} == {"labels.h5"}
    assert rest.call_count == 4


def test_what_a_run_that_was_killed_after_the_copy_has_left_is_deleted(both, tmp_path, capsys):
    """By the same command; a file of that name that belongs to another run stays."""
    with patch("mdgen.run._discard", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        make(tmp_path, "labels")
    assert (tmp_path / "labels.whole.h5.part").exists() and raw(tmp_path / "labels.h5") == raw(both[1])
    make(tmp_path, "labels")
    assert "is complete already" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"labels.h5"}
    other = tmp_path / "labels.whole.h5.part"
    other.write_bytes(both[0].read_bytes())
    make(tmp_path, "labels")
    assert other.read_bytes() == both[0].read_bytes()


def test_positions_that_were_damaged_meanwhile_do_not_become_labels(both, tmp_path):
    """What is copied is held against its checksums."""

    def damage(world: object, whole: storage.Writer, kept: storage.Writer) -> None:
        values = whole.read("propensity", (1,))
        whole.write("propensity", (1,), np.flip(values, axis=-1))
        storage_copy(world, whole, kept)

    storage_copy = storage.copy_kept
    with patch("mdgen.run.copy_kept", damage), pytest.raises(UserError, match="was changed from outside in mid-run"):
        make(tmp_path, "labels")
    assert not (tmp_path / "labels.h5").exists()
    assert raw(make(tmp_path, "labels")) == raw(both[1])


def test_ranks_share_the_copying(both, mpiexec: Mpiexec, tmp_path):
    done = mpiexec(2, "-m", "mdgen", *settings(tmp_path, "labels"), timeout=250)
    assert done.returncode == 0, done.stderr
    assert raw(tmp_path / "labels.h5") == raw(both[1])


def test_what_is_shown_tells_the_size_while_it_runs(tmp_path, capsys):
    show(load(RunConfig, None, settings(tmp_path, "labels", "system.n_particles=4096")))
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("# file"))
    assert "while it runs" in line and f"{tmp_path / 'labels.whole.h5'}.part" in line
    show(load(RunConfig, None, settings(tmp_path, "all")))
    assert "while it runs" not in capsys.readouterr().out
