"""Reading dataset files."""

from __future__ import annotations

import multiprocessing
import pickle

import h5py
import numpy as np
import pytest

from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.reader import Dataset
from runkit.errors import UserError
from tests.ensemble import ABOUT, CONFIG, SIZES, content, fill, open_writer, whole_file


@pytest.fixture
def path(tmp_path):
    return whole_file(tmp_path / "a.h5")


def test_a_file_tells_schema_sizes_configuration_and_attributes(path):
    with Dataset(path) as dataset:
        assert dataset.held == ISOCONFIG and dataset.sizes == SIZES and dataset.config == CONFIG
        assert dataset.attributes["seed"] == 7 and isinstance(dataset.attributes["seed"], int)
        assert "position" in dataset and "colour" not in dataset
        with pytest.raises(KeyError, match="has no field 'colour'"):
            dataset["colour"]


def test_nothing_is_opened_before_the_first_access(tmp_path):
    dataset = Dataset(tmp_path / "none.h5")
    with pytest.raises(UserError, match="does not exist"):
        dataset["box"]


def test_an_unfinished_file_is_read_only_on_demand(tmp_path):
    open_writer(tmp_path / "a.h5").close()
    part = tmp_path / "a.h5.part"
    with pytest.raises(
        UserError, match=r"a\.h5 does not exist; .*a\.h5\.part is unfinished: run the same command again"
    ):
        Dataset(tmp_path / "a.h5")["box"]
    with pytest.raises(UserError, match="is unfinished"):
        Dataset(part)["box"]
    assert Dataset(part, unfinished=True)["equilibrated"][()].tolist() == [0, 0, 0]


def test_a_file_can_be_read_while_it_is_written(tmp_path):
    with open_writer(tmp_path / "a.h5") as writer:
        fill(writer)
        with Dataset(tmp_path / "a.h5.part", unfinished=True) as dataset:
            np.testing.assert_array_equal(dataset["box"][()], content()["box"])


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("schema", "OTHER", r"not one of our dataset files \(schema: OTHER; known: FLOW, "),
        ("schema_version", 2, "has ISOCONFIG version 2, newer than this code, which reads 1"),
        ("schema_version", 0, "older than this code"),
    ],
)
def test_unknown_schemas_and_versions_are_refused(path, name, value, told):
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    with pytest.raises(UserError, match=told):
        Dataset(path)["box"]


def test_other_hdf5_and_other_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="schema: none"):
        Dataset(tmp_path / "other.h5")["x"]
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(UserError, match="cannot be read as HDF5"):
        Dataset(tmp_path / "text.h5")["x"]


def test_fields_that_imported_data_lack_are_not_read_as_zeros(tmp_path):
    with open_writer(tmp_path / "a.h5", attributes=ABOUT | {"absent": ["kinetic_energy"]}) as writer:
        fill(writer)
        writer.seal()
    with Dataset(tmp_path / "a.h5") as dataset:
        assert dataset.absent == ("kinetic_energy",) and "kinetic_energy" not in dataset
        with pytest.raises(UserError, match="has no kinetic_energy: the data it was imported from do not give it"):
            dataset["kinetic_energy"]


def _read_often(dataset, seed, results):
    rng = np.random.default_rng(seed)
    expected = content()["position"]
    good = True
    for _ in range(200):
        sample = int(rng.integers(3))
        good &= bool(np.array_equal(dataset["position"][sample], expected[sample]))
    results.put(good)


@pytest.mark.parametrize(("method", "n_workers"), [("fork", 3), ("spawn", 1)])
def test_workers_read_through_handles_of_their_own(path, method, n_workers):
    context = multiprocessing.get_context(method)
    results = context.Queue()
    with Dataset(path) as dataset:
        dataset["box"][()]
        workers = [context.Process(target=_read_often, args=(dataset, seed, results)) for seed in range(n_workers)]
        for worker in workers:
            worker.start()
        _read_often(dataset, 9, results)
        assert [results.get(timeout=60) for _ in range(n_workers + 1)] == [True] * (n_workers + 1)
        for worker in workers:
            worker.join(timeout=60)


def test_a_pickled_dataset_opens_again(path):
    with Dataset(path) as dataset:
        dataset["box"][()]
        copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy["box"][()], content()["box"])
