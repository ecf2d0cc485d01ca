"""Cages: where particles rattle in a short simulation, what descriptors tell of it, and how it comes into data."""

from __future__ import annotations

import numpy as np
import pytest

import dtrain
import mdgen
from dtrain.data.cage import CAGE_WIDTH, N_TIMES, NEAR, SKIPPED, Cage
from dtrain.data.descriptors import n_descriptors
from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.glass_files import TimesOptions
from dtrain.data.glass_times import GlassTimes
from dtrain.data.graph_set import GlassLoss
from dtrain.data.thermal import STEP, in_steps
from dtrain.metrics import pearson
from mdgen.api import NotConserved, law_in_words
from runkit.config import load
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.dtrain.test_reversed import _Rank
from tests.isoconfig_factory import write_isoconfig
from tests.liquid import small_liquid

SHORT = {"replicas": 2, "time": 0.1}
KEYS = {"positions": "both", "descriptors": True, "cage": SHORT}


@pytest.fixture(scope="module")
def liquid():
    """Thermal and inherent positions, species and box of a cold liquid, and its temperature."""
    position, species, box = small_liquid(0.8)
    return position, mdgen.inherent_position(position, species, box), species, box, 0.4


@pytest.fixture
def file(tmp_path):
    return write_isoconfig(tmp_path / "few.h5", n_samples=4, n_times=2, seed=4)


def moved(liquid, replicas, time):
    """Displacements [n_times, n_replicas, n, 3] that cages are taken from."""
    position, _, species, box, temperature = liquid
    times = time * np.arange(1, N_TIMES + 1) / N_TIMES
    found = mdgen.trajectories(position, species, box, temperature, times, replicas, 0, 0.005)
    return np.array([now - position for now in found])[SKIPPED:]


def test_means_and_spreads_are_those_of_trajectories(liquid):
    found, seen = dtrain.cages(*liquid, replicas=3, time=0.8), moved(liquid, 3, 0.8)
    variance = np.square(seen - seen.mean(axis=(0, 1))).sum(axis=3).mean(axis=(0, 1))
    within = np.square(seen - seen.mean(axis=0)).sum(axis=3).mean(axis=(0, 1))
    lengths = np.linalg.norm(seen, axis=3).mean(axis=1)
    np.testing.assert_allclose(found.spread[:, 0], variance, rtol=0.02)
    np.testing.assert_allclose(found.spread[:, 2] ** 2, within, rtol=0.02)
    np.testing.assert_allclose(found.spread[:, 2] ** 2 + found.spread[:, 4] ** 2, variance, rtol=0.02)
    np.testing.assert_allclose(np.exp(found.spread[:, 1]), variance, rtol=0.02)
    np.testing.assert_allclose(found.length[:, 0], lengths.mean(axis=0), rtol=0.02)
    np.testing.assert_allclose(found.length[:, 3], lengths[-4:].mean(axis=0), rtol=0.02)


def test_a_cage_is_where_a_particle_is_while_it_is_near_its_inherent_position(liquid):
    position, inherent, _, box, _ = liquid
    found, seen = dtrain.cages(*liquid, replicas=3, time=2.0), moved(liquid, 3, 2.0)
    to_inherent = inherent - position
    to_inherent -= box * np.rint(to_inherent / box)
    near = np.linalg.norm(seen - to_inherent, axis=3) < NEAR * (box.prod() / len(position)) ** (1 / 3)
    assert 0 < (~near).sum() < 0.2 * near.size
    stays = near.all(axis=(0, 1))
    np.testing.assert_allclose(found.mean[stays], seen.mean(axis=(0, 1))[stays], atol=5e-3)
    leaves = np.flatnonzero(~stays & (near.sum(axis=(0, 1)) > 40))
    expected = [seen[:, :, one][near[:, :, one]].mean(axis=0) for one in leaves]
    np.testing.assert_allclose(found.mean[leaves], expected, atol=2e-2)


def test_particles_that_rattle_far_go_far(liquid):
    """Later displacements of other replicas, from cages of a fifth of the time."""
    position, _, species, box, temperature = liquid
    propensity = mdgen.isoconfigurational(position, species, box, temperature, [10.0], n_replicas=16, seed=9)[0]
    found = dtrain.cages(*liquid, replicas=8, time=2.0)
    assert pearson(found.spread[:, 1], propensity) > 0.5


def test_groups_of_replicas_change_no_bit(liquid, monkeypatch):
    together = dtrain.cages(*liquid, replicas=5, time=0.1)
    monkeypatch.setattr("mdgen.api.GROUP", 2)
    np.testing.assert_array_equal(dtrain.cages(*liquid, replicas=5, time=0.1).array, together.array)


def test_too_little_memory_is_said_in_one_line(liquid, monkeypatch):
    def too_much(*_, **__):
        raise MemoryError("9 GiB")

    monkeypatch.setattr("dtrain.data.cage._Sums.add", too_much)
    with pytest.raises(UserError, match=r"replicas = 2: cages of 250 particles are too many for the memory.*9 GiB"):
        dtrain.cages(*liquid, **SHORT)


def test_shorter_steps_are_tried_only_where_energy_is_not_conserved(liquid):
    position, inherent, species, box, _ = liquid
    tried = []

    def run(dt, error):
        tried.append(dt)
        if len(tried) < 2:
            raise error("no")
        return "done"

    assert in_steps(0.1, lambda dt: run(dt, NotConserved)) == "done"
    np.testing.assert_allclose(tried, [STEP * 0.1, STEP * 0.1 / 4])
    tried.clear()
    with pytest.raises(UserError, match="no"):
        in_steps(0.1, lambda dt: run(dt, UserError))
    with pytest.raises(UserError, match=r"^temperature = 1000000000"):
        dtrain.cages(position, inherent, species, box, 1e9, **SHORT)


def test_arrays_have_the_same_cages_in_any_file_and_place(liquid):
    position, inherent, species, box, temperature = liquid
    found = dtrain.cages(*liquid, **SHORT)
    np.testing.assert_array_equal(dtrain.cages(*liquid, **SHORT).array, found.array)
    again = dtrain.cages(position + box, inherent, species, box, temperature, **SHORT)
    np.testing.assert_allclose(again.array, found.array, atol=1e-3)
    assert found.array.shape == (250, CAGE_WIDTH)
    np.testing.assert_array_equal(Cage.of_array(found.array).length, found.length)


def test_descriptors_tell_of_cages_beside_all_else(liquid):
    position, inherent, species, box, _ = liquid
    without = dtrain.descriptors(inherent, species, box, position)
    found = dtrain.descriptors(inherent, species, box, position, dtrain.cages(*liquid, **SHORT))
    assert (without.shape[1], found.shape[1]) == (n_descriptors(2), n_descriptors(2, has_cage=True))
    assert {column.tobytes() for column in without.T} < {column.tobytes() for column in found.T}
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"replicas": 0}, "replicas = 0"),
        ({"time": 0.0}, "time = 0"),
        ({"temperature": -1.0}, "temperature = -1"),
        ({"inherent": np.zeros((3, 3))}, r"inherent: finite numbers of the shape of position \(250, 3\)"),
        ({"species": np.full(250, 7)}, "species 7"),
    ],
)
def test_what_has_no_cages_is_refused_by_name(liquid, change, complaint):
    names = ("position", "inherent", "species", "box", "temperature")
    with pytest.raises(UserError, match=complaint):
        dtrain.cages(**(dict(zip(names, liquid, strict=True)) | SHORT | change))


def test_cages_of_another_configuration_are_refused(liquid):
    position, inherent, species, box, _ = liquid
    cage = Cage.of_array(np.zeros((9, CAGE_WIDTH)))
    with pytest.raises(UserError, match=r"cage: finite numbers of the shapes \[\(250, 3\), .* are needed"):
        dtrain.descriptors(inherent, species, box, position, cage)
    with pytest.raises(UserError, match="thermal: the positions that cages belong to are needed"):
        dtrain.descriptors(inherent, species, box, None, dtrain.cages(*liquid, **SHORT))


def contents(file):
    return {path.name: path.read_bytes() for path in (file.parent / f"{file.name}.cages").iterdir()}


def test_cages_are_kept_beside_the_file_the_same_by_any_number_of_ranks(file):
    """Those of training and validation samples and of reversed replicas; other keys keep others."""
    split = {"train": 2, "validation": 1, "test": 1}
    options = GlassOptions(file=str(file), split=split, reversed=1, normalise=False, **KEYS)
    Glass(options).prepare(SerialWorld())
    alone = contents(file)
    assert len(alone) == 5
    for path in (file.parent / f"{file.name}.cages").iterdir():
        path.unlink()
    for rank in (1, 0):
        Glass(options).prepare(_Rank(rank))
    assert contents(file) == alone
    other = options.model_copy(update={"cage": options.cage.model_copy(update={"time": 0.05}), "reversed": 0})
    Glass(other).prepare(SerialWorld())
    assert len(contents(file)) == 8


def test_graphs_of_all_times_carry_the_same_cages(file):
    times = GlassTimes(TimesOptions(file=str(file), **KEYS))
    one = Glass(GlassOptions(file=str(file), time=1, **KEYS))
    times.prepare(SerialWorld())
    np.testing.assert_array_equal(times.batch([2]).x, one.batch([2]).x)
    assert one.sizes["node_width"] == 1 + n_descriptors(2, has_cage=True) == one.batch([2]).x.shape[1]


def test_no_cages_are_made_where_none_are_asked_for(file):
    Glass(GlassOptions(file=str(file), positions="both", descriptors=True)).prepare(SerialWorld())
    assert not (file.parent / f"{file.name}.cages").exists()


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"cage": SHORT}, "cage.replicas = 2: descriptors tell of cages; set descriptors = true"),
        ({"descriptors": True, "cage": {"replicas": 2}}, "replicas = 2: time is needed"),
    ],
)
def test_keys_of_cages_belong_together(keys, complaint, file):
    with pytest.raises(UserError, match=complaint):
        load(GlassOptions, None, [{"file": str(file), **keys}])


@pytest.mark.parametrize("kind", ["glass", "glass-times"])
def test_a_simulation_that_reaches_the_largest_time_is_refused(kind, file):
    make, options = (Glass, GlassOptions) if kind == "glass" else (GlassTimes, TimesOptions)
    times = Glass(GlassOptions(file=str(file))).dataset["time"][:]
    one = {"time": 0} if kind == "glass" else {}
    largest = times[0] if kind == "glass" else times[-1]
    keys = KEYS | {"cage": {"replicas": 2, "time": float(largest)}} | one
    told = f"data.cage.time = {largest:g} reaches the largest time .*, {largest:g}; .* or data.cage.replicas = 0"
    with pytest.raises(UserError, match=told):
        make(options(file=str(file), **keys)).require(GlassLoss())


def test_times_within_the_simulation_are_said_once(file, capsys):
    times = Glass(GlassOptions(file=str(file))).dataset["time"][:]
    length = float(times[0]) * 1.01
    (file.parent / f"{file.name}.cages").write_text("no folder, so nothing is made")
    data = GlassTimes(TimesOptions(file=str(file), **KEYS | {"cage": {"replicas": 1, "time": length}}))
    data.require(GlassLoss())
    data.prepare(SerialWorld())
    assert capsys.readouterr().out.count(f"data.cage.time = {length:g}: t = {times[0]:g} are times of this") == 1


def test_what_cannot_be_kept_is_said_once_and_not_made_before_it_is_needed(file, capsys, monkeypatch):
    (file.parent / f"{file.name}.cages").write_text("no folder")
    made = []

    def counted(*given, **how):
        made.append(given)
        return dtrain.cages(*given, **how)

    monkeypatch.setattr("dtrain.data.configurations.cages", counted)
    data = GlassTimes(TimesOptions(file=str(file), reversed=1, **KEYS))
    data.prepare(SerialWorld())
    assert capsys.readouterr().out.count(f"{file.name}.cages: File exists: what is not there yet") == 1
    assert not made
    data.batch([2])
    assert len(made) == 1


def test_cages_that_are_kept_belong_to_the_whole_law(file):
    """Parameters as the law has them, given or not."""
    assert law_in_words("kob-andersen") == law_in_words("kob-andersen", {"cutoff": 2.5})
    assert law_in_words("kob-andersen") != law_in_words("kob-andersen", {"cutoff": 2.4})
