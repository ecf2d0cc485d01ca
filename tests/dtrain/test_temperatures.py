"""Several temperatures in one network: what lies between them, beyond them, and transfer from one to another."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

import dtrain
from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.glass_files import TimesOptions
from dtrain.data.glass_times import GlassTimes
from dtrain.data.knots import Knots
from dtrain.evaluate import main as evaluate
from dtrain.glass.moment import at, replaced
from dtrain.metrics import pearson
from dtrain.weights import load_model
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from tests.dtrain.conftest import ANY_TIME, SOLVED, train_here
from tests.isoconfig_factory import write_isoconfig

RECIPE = f'name = "two"{ANY_TIME}split = {{ train = 3, validation = 1, test = 0 }}{SOLVED}'
KEYS = {"positions": "both", "descriptors": True}
ALONE = ("device=cpu", "threads=1", "rival=false")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """By temperature: four samples at 0.5 and at 1, where the same is over in a hundredth of the time; six between.

    Particles go first slowly and then fast, so that what is interpolated at the same time is wrong between.
    """
    found = {}
    for temperature, faster, n_samples in ((0.5, 1.0, 4), (2 / 3, 10.0, 6), (1.0, 100.0, 4)):
        path = tmp_path_factory.mktemp("temperatures") / f"{temperature:.2f}.h5"
        found[temperature] = write_isoconfig(path, n_samples=n_samples, n_times=3, seed=int(10 * temperature))
        with h5py.File(path, "r+") as file:
            file["temperature"][:] = temperature
            file["time"][:] = np.array([1.0, 50.0, 100.0]) / faster
    return found


@pytest.fixture(scope="module")
def run(files, tmp_path_factory):
    """The folder of a run that has learnt at both ends."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "two.toml").write_text(RECIPE)
    sources = f"data.file={files[0.5]}", f"data.further=['{files[1.0]}']"
    code, printed = train_here(folder, "two.toml", *sources, "threads=1")
    assert code == 0, printed
    return folder / "runs" / "two"


def test_between_knots_answers_are_linear_in_log_time_and_inverse_temperature():
    knots = Knots((0.5, 1.0), ((1.0, 100.0), (10.0, 1000.0)))
    np.testing.assert_allclose(knots.weights(10.0, 0.5), [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(knots.weights(100.0, 2 / 3), [0, 0.5, 0.25, 0.25])
    np.testing.assert_allclose(knots.weights(1.0, 1.0), [0, 0, 1, 0])
    np.testing.assert_allclose(knots.weights(1000.0, 0.3), [0, 1, 0, 0])
    with pytest.raises(UserError, match="time = 2000: the network has learnt times from 1 to 1000"):
        knots.weights(2000.0, 1.0)


def test_between_temperatures_each_answers_for_the_time_at_which_particles_have_moved_as_far():
    """The warm one is ten times as fast: between them it is asked earlier, the cold one later, by a root of ten."""
    cold, warm = (1.0, 10.0, 100.0, 1000.0), (1.0, 10.0, 100.0)
    mobility = tuple(0.5 * np.log(cold)), tuple(0.5 * np.log(np.multiply(10.0, warm)))
    knots = Knots((0.5, 1.0), (cold, warm), mobility)
    half = np.sqrt(10.0)
    np.testing.assert_allclose(knots.weights(10 * half, 2 / 3), [0, 0, 0.5, 0, 0, 0.5, 0], atol=1e-12)
    np.testing.assert_allclose(knots.weights(10 * half, 0.5), [0, 0.5, 0.5, 0, 0, 0, 0], atol=1e-12)
    # Beyond what both have known the ratio of their times stays; at the shortest time of all it is 1.
    np.testing.assert_allclose(knots.weights(1000.0, 2 / 3), [0, 0, 0, 0.5, 0, 0, 0.5], atol=1e-12)
    np.testing.assert_allclose(knots.weights(1.0, 2 / 3), [0.5, 0, 0, 0, 0.5, 0, 0], atol=1e-12)


def test_one_time_of_a_temperature_belongs_to_that_of_another_at_which_particles_have_moved_as_far():
    knots = Knots((0.5, 1.0), ((1000.0,), (1.0, 10.0, 100.0)), ((1.0,), (0.5, 1.0, 1.5)))
    np.testing.assert_allclose(knots.weights(100.0, 2 / 3), [0.5, 0, 0.5, 0])
    np.testing.assert_allclose(knots.weights(10.0, 2 / 3), [0.5, 0.25, 0.25, 0])
    apart = Knots((0.5, 1.0), ((1000.0,), (1.0, 10.0, 100.0)), ((2.0,), (0.5, 1.0, 1.5)))
    np.testing.assert_allclose(apart.weights(100.0, 2 / 3), [0.5, 0, 0, 0.5])


def test_the_mobility_at_knots_is_that_of_the_training_samples(files):
    data = GlassTimes(TimesOptions(file=str(files[0.5]), further=(str(files[2 / 3]),), **KEYS))
    expected = []
    for file in data.files:
        own, dataset = file.own(data.parts["train"]), file.at[0].dataset
        moved = [[dataset["propensity"][k, i][dataset["species"][k] == 0].mean() for k in own] for i in range(3)]
        expected.append(np.log(moved).mean(axis=1))
    np.testing.assert_allclose(data.system["knot_mobility"], expected, rtol=1e-5)
    assert np.shape(Knots.from_system(data.system).mobility) == (2, 3)


def test_a_temperature_left_out_is_interpolated(run, files, tmp_path, capsys):
    """Half way in 1/T, where all is over in a tenth of the time: each end answers for its own moment of the same."""
    trained = load_model(run)
    knots = Knots.from_system(trained.system)
    np.testing.assert_allclose(knots.weights(5.0, 2 / 3), [0, 0.5, 0, 0, 0.5, 0], atol=0.05)
    evaluate([str(run), f"file={files[2 / 3]}", "part=all", f"output={tmp_path}", *ALONE])
    assert "outside the temperatures" not in capsys.readouterr().out
    at_the_same_time = replace(trained, system={**trained.system, "knot_mobility": []})
    for i_time, time in enumerate((0.1, 5.0, 10.0)):
        told = json.loads((tmp_path / "times" / f"T0.666667_t{time:g}" / "evaluation.json").read_text())
        score, learnt = told["rows"][0]["A"], told["learnt"]
        assert told["samples"] == list(range(6)) and learnt is None
        assert score["pearson"]["value"] > 0.4 and score["slope"]["value"] == pytest.approx(1, abs=0.4)
        bound = 0.03 * (0.1, 1.0, 10.0)[i_time] ** 0.5
        assert abs(score["bias"]["value"]) < bound
        data = Glass(GlassOptions(file=str(files[2 / 3]), time=i_time, **KEYS))
        network = at(at_the_same_time, time, 2 / 3).network
        biases = []
        for sample in range(6):
            found, is_a = network(*Glass.inputs(data.structure(sample)))[0], data.dataset["species"][sample] == 0
            biases.append((found.detach().numpy() - data.targets(sample)[0])[is_a].mean())
        assert abs(np.mean(biases)) > bound


def test_it_is_scored_as_it_answers_for_another_moment(run, files, tmp_path, capsys):
    """Transfer: the answers are those of the moment that is asked for, the labels those of the file."""
    words = [str(run), f"file={files[2 / 3]}", "part=all", f"output={tmp_path}", *ALONE]
    evaluate([*words, "as_time=100", "as_temperature=0.5"])
    assert capsys.readouterr().out.count("any-time: answers for T = 0.5, t = 100\n") == 3
    network, place = at(load_model(run), 100.0, 0.5).network, tmp_path / "times" / "T0.666667_t5"
    data = Glass(GlassOptions(file=str(files[2 / 3]), time=1, **KEYS))
    told = json.loads((place / "evaluation.json").read_text())
    expected = [network(*Glass.inputs(data.structure(sample)))[0].detach().numpy() for sample in range(6)]
    with Dataset(place / "evaluation.h5") as found:
        np.testing.assert_allclose(found["propensity"][:, 0], expected, rtol=1e-4)
    is_a = [data.dataset["species"][sample] == 0 for sample in range(6)]
    labels = [data.targets(sample)[0] for sample in range(6)]
    each = [pearson(x[mask], y[mask]) for x, y, mask in zip(expected, labels, is_a, strict=True)]
    assert told["rows"][0]["A"]["each"] == pytest.approx(each, abs=1e-4)
    with pytest.raises(SystemExit):
        evaluate([*words, "as_time=200", "as_temperature=2"])
    assert "as_time = 200: the network has learnt times from 0.01 to 100" in capsys.readouterr().err
    evaluate([*words, "as_time=100", "as_temperature=2"])
    printed = capsys.readouterr().out
    assert "T = 2 is outside the temperatures that were learnt, 0.5 to 1: the nearest answers" in printed
    assert "T = 1: t = 0.01 to 1 was learnt; the nearest of it answers for t = 100\n" in printed


def test_what_stands_in_for_answers_that_were_not_learnt_is_told():
    """Beyond the times of a temperature that takes part, and where particles never move as far at two of them."""
    knots = Knots((0.5, 1.0), ((1.0, 100.0), (0.1, 1.0)), ((0.0, 1.0), (0.0, 1.0)))
    assert (
        knots.replaced([1.0, 10.0, 100.0], 0.5) == knots.replaced([0.1, 1.0], 1.0) == knots.replaced([3.0], 0.6) == []
    )
    late = "T = 1: t = 0.1 to 1 was learnt; the nearest of it answers for t = 10, 100"
    assert knots.replaced([1.0, 10.0, 100.0], 1.0) == knots.replaced([10.0, 100.0], 2.0) == [late]
    assert knots.replaced([0.1], 0.5) == ["T = 0.5: t = 1 to 100 was learnt; the nearest of it answers for t = 0.1"]
    apart = Knots((0.5, 1.0), ((1.0,), (1.0, 10.0)), ((0.0,), (1.0, 2.0)))
    told = "at no times that were learnt have particles moved as far at both; they answer for the same time"
    assert apart.replaced([1.0], 2 / 3) == [f"T = 0.5 and 1: {told}"]
    np.testing.assert_allclose(apart.weights(1.0, 2 / 3), [0.5, 0.5, 0])
    alone = "T = 0.5: t = 1 was learnt; the nearest of it answers for t = 10"
    assert apart.replaced([10.0], 2 / 3) == [f"T = 0.5 and 1: {told}", alone]
    with pytest.raises(UserError, match="time = 20: the network has learnt times from 1 to 10"):
        apart.replaced([20.0], 1.0)


def test_arrays_are_predicted_with_a_warning_where_other_answers_stand_in(run, files):
    data = Glass(GlassOptions(file=str(files[1.0]), time=0, **KEYS)).dataset
    arrays, inherent = [data[name][0] for name in ("initial_position", "species", "box")], data["inherent_position"][0]
    with pytest.warns(UserWarning, match=r"^T = 1: t = 0.01 to 1 was learnt; .* t = 100$") as caught:
        late = dtrain.predict(*arrays, run, inherent=inherent, time=100.0, temperature=1.0)
    assert [one.filename for one in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        last = dtrain.predict(*arrays, run, inherent=inherent, time=1.0, temperature=1.0)
    np.testing.assert_array_equal(late.propensity, last.propensity)


def test_a_blind_network_says_that_it_is_not_told_the_temperature(run):
    trained = load_model(run)
    options = trained.options.model_copy(update={"blind": True})
    blind = SimpleNamespace(system=trained.system, options_as=lambda kind: options)
    told = "T = 2 is outside the temperatures that were learnt, 0.5 to 1"
    assert replaced(trained, [1.0], 2.0) == [f"{told}: the nearest answers"]
    assert replaced(blind, [1.0], 2.0) == [f"{told}: the network is not told the temperature (data.blind)"]


@pytest.mark.parametrize(
    "change",
    [
        {"knot_temperatures": None},
        {"knot_times": []},
        {"knot_times": [[1.0], []]},
        {"knot_temperatures": [0.5]},
        {"knot_mobility": [[1.0, 2.0]]},
    ],
)
def test_weights_that_tell_no_knots_are_refused_in_one_line(change, files):
    told = GlassTimes(TimesOptions(file=str(files[0.5]), further=(str(files[1.0]),), **KEYS)).system
    assert not Knots.from_system({key: one for key, one in told.items() if key != "knot_mobility"}).mobility
    with pytest.raises(UserError, match=r"the weights do not tell what the network has learnt .*; train it again"):
        Knots.from_system({key: one for key, one in (told | change).items() if one is not None})
