"""GlassBench's Kob–Andersen files: read, learnt from, and the predictions that ship with them scored again.

Made-up files of its layout: `T0.50/{train,test}/N160T0.50_1.npz` with types, initial, inherent and cage positions in
[-L/2, L/2), propensities [n_times, n], and in test files the predictions by name of the model.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from dtrain import evaluate
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.dtrain.conftest import train_here
from tests.isoconfig_factory import write_isoconfig
from tests.tools.conftest import tool
from tools.import_botan import Import, import_files
from tools.score_glassbench import ScoreGlassBench, score_files

N = 160  # the smallest box that Kob and Andersen's cutoff allows
TIMES = [1.0, 10.0]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder T0.50 of three training and two test files."""
    rng, folder = np.random.default_rng(8), tmp_path_factory.mktemp("KA_models") / "T0.50"
    with Dataset(write_isoconfig(folder.parent / "ours.h5", n_samples=5, n_particles=N)) as data:
        for sample in range(5):
            arrays = _arrays(data, sample, rng)
            part = folder / ("train" if sample < 3 else "test")
            part.mkdir(parents=True, exist_ok=True)
            if sample >= 3:
                truth = arrays["md_prop"]
                arrays["SE3"] = truth + 0.05 * rng.normal(size=truth.shape)
                arrays["BOTAN"] = (truth + 0.1 * rng.normal(size=truth.shape))[:, arrays["types"] == 0]
            np.savez(part / f"N{N}T0.50_{sample + 1}.npz", **arrays)
    return folder


def _arrays(data: Dataset, sample: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    box, propensity = data["box"][sample], data["propensity"][sample].astype(np.float64)
    inherent = data["inherent_position"][sample]
    cage = inherent + 0.02 * rng.normal(size=inherent.shape)
    positions = {"initial_positions": data["initial_position"][sample]}
    positions |= {"initial_positions_inherent": inherent, "initial_positions_cage": cage}
    return {
        "types": data["species"][sample],
        **{name: values - box * np.rint(values / box) for name, values in positions.items()},
        "md_prop": propensity,
        "bb_prop": np.exp(-propensity),
    }


@pytest.fixture(scope="module")
def imported(files: Path) -> Path:
    """All five as one file."""
    options = {"output": str(files.parent / "glassbench.h5"), "file": [str(files / "*" / "*.npz")], "times": TIMES}
    import_files(SerialWorld(), Import(**options))
    return files.parent / "glassbench.h5"


def test_all_that_the_files_hold_is_there(files, imported):
    """Thermal, inherent and cage positions, both propensities; no bonds, nor what needs trajectories."""
    assert check(imported).good, str(check(imported))
    with Dataset(imported) as data, np.load(files / "test" / f"N{N}T0.50_5.npz") as file:
        half = data["box"][4] / 2
        sample = next(i for i in range(5) if np.allclose(data["propensity"][i], file["md_prop"], atol=1e-6))
        for ours, theirs in {
            "initial_position": "initial_positions",
            "inherent_position": "initial_positions_inherent",
            "cage_position": "initial_positions_cage",
        }.items():
            away = data[ours][sample] - file[theirs]
            assert np.abs(away - 2 * half * np.rint(away / (2 * half))).max() < 1e-9, ours
        assert np.abs(data["cage_position"][sample] - data["initial_position"][sample]).max() < half[0]
        assert data["bond_breaking_propensity"][sample] == pytest.approx(file["bb_prop"], abs=1e-6)
        assert "bond_change" not in data and data.sizes["replica"] == 0


def test_what_only_some_files_hold_is_left_out(files, tmp_path):
    """Cage positions were published for 200 of the 500 configurations."""
    paths = []
    for path in sorted(files.glob("train/*.npz")):
        with np.load(path) as file:
            kept = {name: file[name] for name in file.files if not (name.endswith("cage") and "_2.npz" in path.name)}
        paths.append(tmp_path / path.name)
        np.savez(paths[-1], **kept)
    import_files(SerialWorld(), Import(output=str(tmp_path / "a.h5"), file=[str(path) for path in paths], times=TIMES))
    with Dataset(tmp_path / "a.h5") as data:
        assert "cage_position" not in data and "bond_breaking_propensity" in data
        with pytest.raises(UserError, match="has no cage_position: that was left out"):
            data["cage_position"]
    assert check(tmp_path / "a.h5").good


def test_a_network_learns_and_is_scored_without_bonds(imported, tmp_path):
    """One epoch on particles alone; scores of both species, none of bonds."""
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f"""name = "bench"
output = "{tmp_path}"
batch = 1
model = {{ name = "botan", parameters = {{ width = 8, rounds = 2 }} }}

[data]
name = "glass"
file = "{imported}"
time = 1
split = {{ train = 3, validation = 1, test = 1 }}

[phase.all]
epochs = 1
learning_rate = 1e-3
loss = {{ p = 1.0 }}
"""
    )
    code, printed = train_here(tmp_path, recipe, "device=cpu")
    assert code == 0, printed
    evaluate.main([str(tmp_path / "bench"), "threads=1", "device=cpu"])
    about = json.loads((tmp_path / "bench" / "evaluation.json").read_text())
    assert [set(row) - {"name", "lead"} for row in about["rows"]] == [{"A", "B"}] * 2 and about["ceiling"] == {}
    assert about["rows"][0]["A"]["pearson"]["value"] is not None and about["n_replicas"] == 0


def test_shipped_predictions_are_scored_as_scipy_scores_them(files, tmp_path, capsys):
    """Of all particles (SE3) and of A particles alone (BOTAN), at each time."""
    score_files(ScoreGlassBench(file=[str(files / "test" / "*.npz")], times=TIMES, output=str(tmp_path / "s.csv")))
    with open(tmp_path / "s.csv", newline="") as file:
        rows = {(row["name"], float(row["time"])): row for row in csv.DictReader(file)}
    assert {name for name, _ in rows} == {"BOTAN", "SE3", "bond breaking (simulated)"}
    for k, time in enumerate(TIMES):
        truth, guess = [], []
        for path in sorted(files.glob("test/*.npz")):
            with np.load(path) as file:
                truth.append(file["md_prop"][k][file["types"] == 0])
                guess.append(file["SE3"][k][file["types"] == 0])
        each = [scipy.stats.pearsonr(*pair)[0] for pair in zip(truth, guess, strict=True)]
        row = rows["SE3", time]
        assert float(row["pearson"]) == pytest.approx(np.mean(each))
        assert float(row["pearson_error"]) == pytest.approx(scipy.stats.sem(each))
        pooled = scipy.stats.pearsonr(np.concatenate(truth), np.concatenate(guess))[0]
        assert float(row["pooled"]) == pytest.approx(pooled)
        assert float(rows["SE3", time]["pearson"]) > float(rows["BOTAN", time]["pearson"]) > 0.1
    assert float(rows["bond breaking (simulated)", 10.0]["spearman"]) == pytest.approx(1.0)  # as it was made up
    text = capsys.readouterr().out
    assert "T = 0.5, t = 10: 2 configurations, A particles" in text and "SE3" in text


def test_scores_stand_beside_those_that_were_published(files, tmp_path, capsys):
    """At tau_alpha, where the times are the published ones."""
    paths = []
    for path in sorted(files.glob("test/*.npz")):
        with np.load(path) as file:
            per_time = {name: values for name, values in file.items() if len(values) == 2}
            arrays = {**file, **{name: np.repeat(values[:1], 10, axis=0) for name, values in per_time.items()}}
        paths.append(tmp_path / path.name)
        np.savez(paths[-1], **arrays)
    score_files(ScoreGlassBench(file=[str(path) for path in paths]))
    text = capsys.readouterr().out
    assert "T = 0.5, t = 217" in text
    assert next(line for line in text.splitlines() if line.startswith("SE3")).split()[-2:] == ["0.752", "0.771"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{files}/train/*.npz", "times=[1,10]"], "no predictions are there"),
        (["{files}/test/*.npz"], "'md_prop' has 2 times, but 10 are known; give times=[…]"),
        (["{files}/test/*.npz", "times=[1,10]", "time=3"], "time = 3 is not there; allowed: 1, 10"),
        (["{files}/test/*.npz", "times=[1,10]", "temperature=0.6"], "temperature = 0.6"),
        (["nowhere.npz"], "no file matches 'nowhere.npz'"),
    ],
)
def test_a_mistake_is_one_line(files, words, told):
    done = tool("score_glassbench", *(word.format(files=files) for word in words))
    assert done.returncode == 2 and told in done.stderr and done.stderr.strip().count("\n") == 0, done.stderr


def test_predictions_of_another_shape_are_named(files, tmp_path):
    path = tmp_path / f"N{N}T0.50_9.npz"
    with np.load(files / "test" / f"N{N}T0.50_5.npz") as file:
        np.savez(path, **{**file, "SE3": file["SE3"][:, :7]})
    with pytest.raises(UserError, match=r"'SE3' has shape \(2, 7\); \(2, 160\) or \(2, 128\) is needed"):
        score_files(ScoreGlassBench(file=[str(path)], times=TIMES))
