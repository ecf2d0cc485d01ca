"""Mobility of any configuration: from arrays, from files of others, whole and in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import dtrain
import mdgen
from dtrain import predict
from dtrain.config import load_recipe
from dtrain.data.glass import Glass
from dtrain.data.pairs import near_pairs
from dtrain.glass.predictions import predictions
from dtrain.normalisation import Normalisation
from dtrain.weights import Trained, build_network, load_model, save_model
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from runkit.progress import Progress
from tests.dtrain.conftest import on_two
from tests.isoconfig_factory import write_isoconfig

N = 400  # a box that Kob and Andersen's cutoff allows
PHASE = {"joint": {"epochs": 1, "learning_rate": 1e-3}}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ISOCONFIG file with inherent positions near its own."""
    return write_isoconfig(tmp_path_factory.mktemp("data") / "ours.h5", n_samples=3, n_particles=N)


def _model(dataset: Path, folder: Path, positions: str) -> Path:
    """A network that has learnt nothing yet, as a run leaves it."""
    folder.mkdir()
    tables = {"model": {"parameters": {"width": 8, "rounds": 2}}, "phase": PHASE}
    tables |= {
        "data": {"file": str(dataset), "positions": positions, "split": {"train": 1, "validation": 1, "test": 1}}
    }
    recipe = load_recipe(None, defaults=tables)
    torch.manual_seed(5)
    data = Glass(recipe.data)
    network = build_network(recipe, data.sizes)
    about = {"phase": "joint", "system": {**data.system, "potential": "kob-andersen"}}
    save_model(folder / "model.safetensors", network.state_dict(), recipe, data.sizes, data.normalisation, about)
    return folder


@pytest.fixture(scope="module")
def model(dataset: Path) -> Path:
    return _model(dataset, dataset.parent / "thermal", "thermal")


@pytest.fixture(scope="module")
def inherent_model(dataset: Path) -> Path:
    return _model(dataset, dataset.parent / "both", "both")


@pytest.fixture
def start(dataset: Path) -> dict[str, np.ndarray]:
    with Dataset(dataset) as data:
        return {name: data[name][0] for name in ("initial_position", "species", "box", "inherent_position")}


def _write_xyz(path: Path, start: dict[str, np.ndarray]) -> Path:
    lattice = " ".join(f"{value:.17g}" for value in np.diag(start["box"]).ravel())
    lines = [str(len(start["species"])), f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"']
    for one, place in zip(start["species"], start["initial_position"], strict=True):
        lines.append(" ".join(["AB"[one], *(f"{value:.17g}" for value in place)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def _write_npz(path: Path, start: dict[str, np.ndarray]) -> Path:
    np.savez(path, types=start["species"], initial_positions=start["initial_position"], box=start["box"])
    return path


def test_arrays_have_the_mobility_of_their_sample(dataset, model, start):
    """`dtrain.predict` answers as the prediction of the file does."""
    trained = load_model(model)
    with Progress(SerialWorld(), 1, "samples", "predict") as progress:
        ((_, propensity, change),) = predictions(trained, Glass(trained.recipe.data), [0], progress)
    found = dtrain.predict(start["initial_position"], start["species"], start["box"], model)
    assert found.propensity == pytest.approx(propensity, abs=1e-6)
    assert found.bond_change == pytest.approx(change, abs=1e-6)
    assert np.array_equal(found.bond, near_pairs(start["initial_position"], start["box"], 2.0))


def test_inherent_positions_are_made_where_the_model_needs_them(inherent_model, start):
    """In the potential of the training; the same as when they are given."""
    arrays = start["initial_position"], start["species"], start["box"]
    found = dtrain.predict(*arrays, inherent_model)
    quenched = mdgen.inherent_position(*arrays)
    given = dtrain.predict(*arrays, inherent_model, inherent=quenched)
    assert np.array_equal(found.propensity, given.propensity)
    other = dtrain.predict(*arrays, inherent_model, inherent=start["inherent_position"])
    assert not np.allclose(found.propensity, other.propensity, atol=1e-3)
    shifted = dtrain.predict(*arrays, inherent_model, parameters={"cutoff": 1.6})
    assert not np.allclose(found.propensity, shifted.propensity, atol=1e-4)


@pytest.mark.parametrize("kind", ["xyz", "npz", "data", "h5"])
def test_every_kind_of_file_gives_the_same_mobility(kind, dataset, model, start, tmp_path):
    """As HDF5 that passes its check, and, of configurations, as XYZ that mdgen reads again."""
    write = {"xyz": _write_xyz, "npz": _write_npz, "data": _write_lammps}
    file = dataset if kind == "h5" else write[kind](tmp_path / f"start.{kind}", start)
    out = tmp_path / "found.h5"
    predict.main([str(model), str(file), f"output={out}", "threads=1"])
    assert check(out).good, str(check(out))
    found = dtrain.predict(start["initial_position"], start["species"], start["box"], model)
    with Dataset(out) as data:
        assert data["propensity"][0, 0] == pytest.approx(found.propensity, abs=2e-5)
        n_bonds = int(data["n_bonds"][0])
        assert np.array_equal(data["bond"][0, :n_bonds], found.bond)
        assert data["bond_change"][0, 0, :n_bonds] == pytest.approx(found.bond_change, abs=2e-5)
        assert data["initial_position"][0] == pytest.approx(start["initial_position"], abs=1e-6)
        assert data["time"][:].tolist() == [1.0]
    assert (tmp_path / "found.xyz").exists() == (kind != "h5")


def _write_lammps(path: Path, start: dict[str, np.ndarray]) -> Path:
    lines = ["LAMMPS data", "", f"{N} atoms", "2 atom types", ""]
    lines += [f"0.0 {edge:.17g} {axis}lo {axis}hi" for axis, edge in zip("xyz", start["box"], strict=True)]
    lines += ["", "Masses", "", "1 1.0", "2 1.0", "", "Atoms # atomic", ""]
    for k, (one, place) in enumerate(zip(start["species"], start["initial_position"], strict=True)):
        lines.append(" ".join([str(k + 1), str(one + 1), *(f"{value:.17g}" for value in place)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_xyz_has_mobility_and_colours_beside_every_particle(model, start, tmp_path):
    """What OVITO shows at once is the property Color; mdgen reads the configuration again."""
    file = _write_xyz(tmp_path / "start.xyz", start)
    predict.main([str(model), str(file), f"output={tmp_path / 'found.h5'}", "threads=1"])
    lines = (tmp_path / "found.xyz").read_text().splitlines()
    assert "Properties=species:S:1:pos:R:3:propensity:R:1:mean_bond_change:R:1:Color:R:3" in lines[1]
    found = dtrain.predict(start["initial_position"], start["species"], start["box"], model)
    values = np.array([[float(word) for word in line.split()[1:]] for line in lines[2:]])
    assert values[:, 3] == pytest.approx(found.propensity, abs=2e-5)
    mine = (found.bond == 7).any(axis=1)
    assert values[7, 4] == pytest.approx(found.bond_change[mine].mean(), abs=2e-5)
    red, green = values[np.argsort(values[:, 3]), 5:7].T
    assert (np.diff(green) <= 1e-9).all() and red[0] == 1.0 and green[-1] < 0.01 and ((values[:, 5:] >= 0).all())
    (again,) = mdgen.read(tmp_path / "found.xyz")
    assert again.position == pytest.approx(start["initial_position"], abs=1e-6)


def test_parts_have_the_mobility_of_the_whole():
    """Thousands of particles in up to 27 parts; without the halo they would not."""
    rng = np.random.default_rng(4)
    box = np.array([24.0, 20.0, 11.0])
    position, species = rng.uniform(0, box, (4000, 3)), (rng.uniform(size=4000) < 0.2).astype(int)
    trained = _trained(positions="thermal", rounds=3)
    whole = dtrain.predict(position, species, box, trained)
    for parts in (2, 8, 27):
        found = dtrain.predict(position, species, box, trained, parts=parts)
        assert np.abs(found.propensity - whole.propensity).max() < 1e-5
        assert np.array_equal(found.bond, whole.bond)
        assert np.abs(found.bond_change - whole.bond_change).max() < 1e-5
    trained.network.__class__ = type("Blind", (type(trained.network),), {"reach": 1})
    blind = dtrain.predict(position, species, box, trained, parts=8)
    assert np.abs(blind.propensity - whole.propensity).max() > 1e-4


def _trained(**settings: object) -> Trained:
    positions, rounds = settings["positions"], settings["rounds"]
    tables = {"model": {"parameters": {"width": 8, "rounds": rounds}}, "data": {"cutoff": 1.7, "positions": positions}}
    tables |= {"phase": PHASE}
    recipe = load_recipe(None, defaults=tables)
    torch.manual_seed(6)
    network = build_network(recipe, {"node_width": 1, "edge_width": 3})
    return Trained(network.eval(), Normalisation.identity(2), recipe, list(recipe.phase)[-1], Path("made-up"))


def test_two_processes_predict_what_one_does(inherent_model, start, tmp_path):
    """A file of one configuration, which is cut into parts for them; speed and memory are told."""
    file = _write_npz(tmp_path / "start.npz", start)
    text = on_two(predict.main, tmp_path, inherent_model, file, f"output={tmp_path / 'two.h5'}", "threads=1")
    assert "1 configuration(s) of 400 particles" in text
    assert "kB each; a simulation of 32 replicas to t = 1 takes about" in text and "times as long" in text
    predict.main([str(inherent_model), str(file), f"output={tmp_path / 'one.h5'}", "threads=1"])
    with Dataset(tmp_path / "one.h5") as one, Dataset(tmp_path / "two.h5") as two:
        assert np.abs(one["propensity"][:] - two["propensity"][:]).max() < 1e-5
        assert np.array_equal(one["bond"][:], two["bond"][:])
        assert np.nanmax(np.abs(one["bond_change"][:] - two["bond_change"][:])) < 1e-5


def test_frames_of_a_trajectory_are_samples(model, start, tmp_path):
    """Two frames that differ."""
    text = _write_xyz(tmp_path / "a.xyz", start).read_text()
    moved = {**start, "initial_position": np.mod(start["initial_position"] + 0.01 * np.sin(np.arange(N))[:, None], 6.9)}
    file = tmp_path / "both.xyz"
    file.write_text(text + _write_xyz(tmp_path / "b.xyz", moved).read_text())
    predict.main([str(model), str(file), f"output={tmp_path / 'found.h5'}", "threads=1"])
    with Dataset(tmp_path / "found.h5") as found:
        assert found["sample"][:].tolist() == [0, 1] and not np.allclose(*found["propensity"][:, 0])
    assert check(tmp_path / "found.h5").good


class Whole(nn.Module):
    """A network that does not say how far it looks."""

    def forward(
        self, x: torch.Tensor, edge_index: torch.Tensor, edge: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return x[:, 0] + edge.mean(), edge[:, 0]


def test_a_network_that_looks_at_the_whole_is_given_the_whole(start):
    trained = _trained(positions="thermal", rounds=1)
    object.__setattr__(trained, "network", Whole())
    trained.network.register_parameter("none", nn.Parameter(torch.zeros(1)))
    arrays = start["initial_position"], start["species"], start["box"]
    assert len(dtrain.predict(*arrays, trained).propensity) == N
    with pytest.raises(UserError, match="parts = 2: botan looks at the whole configuration; allowed: 1"):
        dtrain.predict(*arrays, trained, parts=2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"species": np.full(N, 2)}, "species 2 is there .* the model has learnt from 2 species"),
        ({"box": np.full(3, 3.0)}, r"data.cutoff = 2 needs a box of at least 4; the smallest edge is 3"),
        ({"box": [5.0, -1.0, 5.0]}, "box = .*three positive edges"),
        ({"initial_position": np.full((N, 3), np.nan)}, r"position: finite numbers \[n, 3\]"),
        ({"initial_position": np.zeros((N - 1, 3))}, r"position: finite numbers \[n, 3\] for species \[n\]"),
        ({"species": np.full(N, 0.5)}, "species: whole numbers from 0 to 127"),
    ],
)
def test_arrays_that_are_no_configuration_are_refused(model, start, change, told):
    found = start | change
    with pytest.raises(UserError, match=told):
        dtrain.predict(found["initial_position"], found["species"], found["box"], model)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.xyz"], "nowhere.xyz"),
        (["{empty}"], "is empty"),
        (["{file}", "parts=-1"], "parts = -1 is not allowed"),
        (["{file}", "potential=lennard"], "lennard"),
        (["{file}", "output={file}"], "start.npz"),
    ],
)
def test_mistakes_are_one_line(inherent_model, start, tmp_path, capsys, words, told):
    file = _write_npz(tmp_path / "start.npz", start)
    (tmp_path / "empty.xyz").write_text("")
    places = {"file": file, "empty": tmp_path / "empty.xyz"}
    output = [] if any("output" in word for word in words) else [f"output={tmp_path / 'found.h5'}"]
    with pytest.raises(SystemExit) as end:
        predict.main([str(inherent_model), *(word.format(**places) for word in words), "threads=1", *output])
    error = capsys.readouterr().err
    assert end.value.code == 2 and told in error and error.strip().count("\n") == 0, error
    assert not (tmp_path / "found.h5").exists()


def test_descriptors_are_those_of_the_whole_in_every_part(dataset, start, tmp_path):
    """The linear model with random weights: parts have the mobility of the whole, and so does the file of samples."""
    split = {"train": 1, "validation": 1, "test": 1}
    keys = {"file": str(dataset), "descriptors": True, "positions": "both", "split": split}
    recipe = load_recipe(None, defaults={"model": {"name": "linear"}, "data": keys, "phase": PHASE})
    data = Glass(recipe.data)
    network = build_network(recipe, data.sizes)
    torch.manual_seed(7)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_()
    system = {**data.system, "potential": "kob-andersen"}
    trained = Trained(network.eval(), data.normalisation, recipe, "joint", tmp_path, system=system)
    arrays, inherent = (start["initial_position"], start["species"], start["box"]), start["inherent_position"]
    whole = dtrain.predict(*arrays, trained, inherent=inherent)
    parts = dtrain.predict(*arrays, trained, inherent=inherent, parts=4)
    assert np.array_equal(whole.bond, parts.bond)
    assert np.abs(parts.propensity - whole.propensity).max() < 1e-5 * np.abs(whole.propensity).max()
    assert np.abs(parts.bond_change - whole.bond_change).max() < 1e-5 * np.abs(whole.bond_change).max()
    with Progress(SerialWorld(), 1, "samples", "predict") as progress:
        ((_, propensity, _),) = predictions(trained, data, [0], progress)
    assert whole.propensity == pytest.approx(propensity, rel=1e-5)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory: 9 GiB")])
def test_a_block_that_does_not_fit_into_memory_is_told_with_a_way_out(error, model, start, monkeypatch):
    def forward(*_: object) -> None:
        raise error

    trained = load_model(model)
    monkeypatch.setattr(trained.network, "forward", forward)
    with pytest.raises(UserError, match="400 particles at once are too many for the memory; raise parts"):
        dtrain.predict(start["initial_position"], start["species"], start["box"], trained)


@pytest.mark.parametrize(
    ("source", "output", "told"),
    [
        ("mine.xyz", "mine.h5", "mine.xyz is read by this program"),
        ("start.xyz", "other.h5", "other.xyz is not a file of this program"),
        ("start.xyz", "found.xyz", "found.xyz is the name of the extended XYZ"),
    ],
)
def test_what_lies_beside_the_output_is_refused_before_anything_is_written(
    source, output, told, model, start, tmp_path, capsys
):
    """The XYZ beside it may be the file that is read, even one of ours, somebody's notes, or the output itself."""
    file = _write_xyz(tmp_path / "start.xyz", start)
    predict.main([str(model), str(file), f"output={tmp_path / 'mine.h5'}", "threads=1"])
    (tmp_path / "other.xyz").write_text("notes")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(SystemExit) as end:
        predict.main([str(model), str(tmp_path / source), f"output={tmp_path / output}", "threads=1"])
    assert end.value.code == 2 and told in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
