"""Published ensembles in and out: what others wrote we read, and what we write they read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from runkit.dataset.check import check
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.reader import Dataset
from runkit.dataset.writer import Writer
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.conftest import Mpiexec
from tests.isoconfig_factory import write_isoconfig
from tests.tools.conftest import tool
from tools.import_botan import Import, import_files

N = 160  # the smallest box that Kob and Andersen's cutoff allows


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISOCONFIG file of 4 samples at 2 times that nobody published."""
    return write_isoconfig(tmp_path_factory.mktemp("data") / "ours.h5", n_particles=N)


@pytest.fixture(scope="module")
def botan(dataset: Path) -> Path:
    """Its files in BOTAN's layout."""
    folder = dataset.parent / "small_data"
    done = tool("export_botan", dataset, folder, "test=0.25")
    assert done.returncode == 0, done.stderr
    return folder


def test_files_are_named_and_laid_out_as_published(dataset, botan):
    """Names, keys, types and shapes that pyg_botan's loader relies on, found by its own patterns."""
    names = [path.relative_to(botan).as_posix() for path in sorted(botan.glob("T0.50/*/*tc02*.npz"))]
    assert names == [
        "T0.50/test/isoconfig_N160T0.50_4_tc02.npz",
        *(f"T0.50/train/isoconfig_N160T0.50_{k}_tc02.npz" for k in (1, 2, 3)),
    ]
    with np.load(botan / names[2], allow_pickle=False) as file, Dataset(dataset) as data:
        assert file["types"].dtype == np.int8 and file["types"].shape == (N,)
        assert file["positions"].dtype == np.float64 and file["positions"].shape == (4, N, 3)
        assert file["initial_positions"].dtype == np.float64
        assert np.array_equal(file["initial_positions"], data["initial_position"][1])
        moved = np.linalg.norm(file["positions"] - file["initial_positions"], axis=-1).mean(axis=0)
        assert moved == pytest.approx(data["propensity"][1, 1], abs=1e-6)


def test_published_times_keep_their_index(tmp_path):
    """tau_alpha at T = 0.44 is tc07, wherever it stands in our file."""
    path = write_isoconfig(tmp_path / "a.h5", n_samples=1, n_particles=40)
    shutil.move(path, tmp_path / "a.h5.part")
    with _reopened(tmp_path / "a.h5") as file:
        file.write("time", (), np.array([130.0, 4120.0]))
        file.write("temperature", (), np.array([0.44]))
        file.seal()
    done = tool("export_botan", path, tmp_path / "out")
    found = sorted(path.name for path in (tmp_path / "out").glob("T0.44/train/*.npz"))
    assert found == [f"isoconfig_N40T0.44_1_tc{index}.npz" for index in ("04", "07")], done.stderr


def _reopened(path: Path) -> Writer:
    with Dataset(path.with_name(path.name + ".part"), unfinished=True) as data:
        sizes, config = data.sizes, data.config
    return Writer.open(SerialWorld(), path, ISOCONFIG, sizes, {"config": config})


def test_import_of_export_is_the_same_data(dataset, botan, mpiexec: Mpiexec, tmp_path):
    """On two ranks: structures and trajectories bit by bit, labels to rounding, in the same order."""
    back = tmp_path / "back.h5"
    done = mpiexec(2, "-m", "tools.import_botan", back, botan / "*" / "*" / "*.npz", timeout=250)
    report = check(back)
    assert done.returncode == 0 and report.good, f"{done.stderr}\n{report}"
    with Dataset(dataset) as ours, Dataset(back) as theirs:
        for name in ("time", "temperature", "species", "box", "initial_position", "position", "n_bonds"):
            assert np.array_equal(ours[name][()], theirs[name][()]), name
        for name in ("propensity", "propensity_error"):
            assert theirs[name][()] == pytest.approx(ours[name][()], abs=2e-6), name
        for sample, n_bonds in enumerate(ours["n_bonds"][()]):
            assert np.array_equal(ours["bond"][sample, :n_bonds], theirs["bond"][sample, :n_bonds])
            change = ours["bond_change"][sample, :, :n_bonds]
            assert theirs["bond_change"][sample, :, :n_bonds] == pytest.approx(change, abs=5e-6)
        assert "kinetic_energy" not in theirs and np.all(theirs["inherent_energy"][()] < theirs["initial_energy"][()])


def test_glassbench_gives_labels_without_trajectories(dataset, mpiexec: Mpiexec, tmp_path):
    """Propensities and inherent structures as they are; what needs trajectories is absent, not made up."""
    folder, back = tmp_path / "KA_models", tmp_path / "back.h5"
    assert tool("export_botan", dataset, folder, "layout=glassbench").returncode == 0
    first = folder / "T0.50" / "train" / "N160T0.50_1.npz"
    with np.load(first) as file, Dataset(dataset) as ours:
        half = ours["box"][0] / 2
        assert file["md_prop"].shape == (2, N) and np.all(np.abs(file["initial_positions"]) <= half)
    done = mpiexec(2, "-m", "tools.import_botan", back, folder / "T0.50" / "*" / "*.npz", timeout=250)
    report = check(back)
    assert done.returncode == 0 and report.good, f"{done.stderr}\n{report}"
    _require_that_a_replaced_file_is_told(folder / "T0.50", first, back)
    with Dataset(dataset) as ours, Dataset(back) as theirs:
        assert np.array_equal(theirs["propensity"][()], ours["propensity"][()])
        assert theirs["initial_position"][()] == pytest.approx(ours["initial_position"][()], abs=1e-12)
        assert theirs["inherent_position"][()] == pytest.approx(_unwrapped(ours), abs=1e-9)
        assert theirs.sizes["replica"] == 0 and "bond_change" not in theirs and "position" not in theirs


def _require_that_a_replaced_file_is_told(folder: Path, path: Path, back: Path) -> None:
    """The same import with another propensity in one file does not pass for the one that was made."""
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"md_prop": arrays["md_prop"] * 2})
    options = Import(output=str(back), file=[str(folder / "*" / "*.npz")])
    with pytest.raises(UserError, match="another content of file"):
        import_files(SerialWorld(), options)


def _unwrapped(data: Dataset) -> np.ndarray:
    """Inherent positions nearest to the initial ones."""
    start, box = data["initial_position"][()], data["box"][()][:, None]
    away = data["inherent_position"][()] - start
    return start + away - np.round(away / box) * box


def broken(botan: Path, folder: Path, kind: str) -> list[Path]:
    """Copies of published files, one of them damaged."""
    folder.mkdir()
    paths = [Path(shutil.copy(path, folder)) for path in sorted(botan.glob("T0.50/train/*.npz"))]
    with np.load(paths[0]) as file:
        arrays = dict(file)
    if kind == "truncated":
        paths[0].write_bytes(paths[0].read_bytes()[:2000])
    elif kind == "a time is missing":
        paths.pop(0).unlink()
    elif kind in ("another temperature", "not that of its name"):
        other = 0.504 if kind == "another temperature" else 0.6  # 0.504 is called 0.50 too
        np.savez(paths[0], **arrays | {"temperature": np.float64(other)})
    elif kind == "no positions":
        arrays.pop("positions")
        np.savez(paths[0], **arrays)
    elif kind == "not finite":
        arrays["positions"][1, 3, 2] = np.nan
        np.savez(paths[0], **arrays)
    elif kind == "wrapped":
        np.savez(paths[0], **arrays | {"positions": np.mod(arrays["positions"], arrays["box"])})
    elif kind == "wrapped about the origin":
        moved = arrays["positions"] - arrays["box"] * np.rint(arrays["positions"] / arrays["box"])
        np.savez(paths[0], **arrays | {"positions": moved})
    elif kind == "wrapped along one axis":
        arrays["positions"][..., 0] %= arrays["box"][0]
        np.savez(paths[0], **arrays)
    elif kind == "wrapped now and then":  # between two wraps particles stand outside
        box, position = arrays["box"], np.mod(arrays["positions"], arrays["box"])
        np.savez(paths[0], **arrays | {"positions": np.where(position < 0.02 * box, position + box, position)})
    elif kind == "another start":
        np.savez(paths[1], **arrays | {"initial_positions": arrays["initial_positions"] + 0.3, "time": np.float64(10)})
    elif kind == "times do not ascend":
        np.savez(paths[0], **arrays | {"time": np.float64(1000)})
    elif kind == "fewer particles":
        np.savez(paths[2], **{name: a[..., :99, :] if a.ndim > 1 else a for name, a in arrays.items()})
    return paths


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("truncated", "cannot be read"),
        ("a time is missing", "has time indices"),
        ("another temperature", "one temperature per dataset"),
        ("not that of its name", "'temperature' is 0.6, its name says 0.50"),
        ("no positions", "neither 'positions' (BOTAN) nor 'md_prop' (GlassBench) is there"),
        ("not finite", "of finite numbers are needed"),
        ("wrapped", "'positions' of replica 0 are wrapped into the box"),
        ("wrapped about the origin", "'positions' of replica 0 are wrapped into the box"),
        ("wrapped along one axis", "are wrapped into the box: none is outside it along x"),
        ("wrapped now and then", "are wrapped into the box"),
        ("another start", "starts from another configuration"),
        ("times do not ascend", "2 ascending times are needed"),
        ("fewer particles", "are not [n, 3] and [n]"),
    ],
)
def test_a_bad_file_is_named(botan, tmp_path, kind, told):
    paths = broken(botan, tmp_path / "bad", kind)
    options = Import(output=str(tmp_path / "out.h5"), file=[str(path) for path in paths])
    with pytest.raises(UserError, match=re.escape(told)) as error:
        import_files(SerialWorld(), options)
    assert str(tmp_path / "bad") in str(error.value) and not (tmp_path / "out.h5").exists()


def test_a_mistake_is_one_line(mpiexec: Mpiexec, tmp_path):
    done = mpiexec(1, "-m", "tools.import_botan", tmp_path / "out.h5", "nowhere.npz")
    assert done.returncode == 2 and "no file matches 'nowhere.npz'" in done.stderr and "Traceback" not in done.stderr
