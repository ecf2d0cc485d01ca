"""Reversed replicas: final configurations as more samples, whose labels are those of the trajectory back."""

from __future__ import annotations

import numpy as np
import pytest

from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.pairs import minimum_image
from mdgen.api import evaluate
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.isoconfig_factory import write_isoconfig


@pytest.fixture
def file(tmp_path):
    return write_isoconfig(tmp_path / "few.h5", n_samples=3, n_times=2, seed=4)


def opened(file, **keys):
    split = {"train": 2, "validation": 1, "test": 0}
    return Glass(GlassOptions(file=str(file), time=1, split=split, normalise=False, **keys))


def folder_of(file):
    return file.parent / f"{file.name}.reversed"


def contents(file):
    return {path.name: path.read_bytes() for path in folder_of(file).iterdir()}


def test_training_samples_are_followed_by_their_reversed_replicas(file):
    data = opened(file, reversed=2)
    first, second = data.parts["train"]
    assert data.split["train"] == [first, second, first + 3, second + 3, first + 6, second + 6]
    assert data.split["validation"] == data.parts["validation"] and len(data.parts["train"]) == 2
    assert opened(file).split == opened(file).parts


def test_the_motion_back_is_the_label(file):
    """From the final configuration of replica 1: particles go |x(0) - x(t)| far, pairs change from there to x(0)."""
    data = opened(file, reversed=2)
    sample = data.parts["train"][1]
    example, structure = data.example(sample + 2 * 3), data.structure(sample + 2 * 3)
    start, box = data.dataset["initial_position"][sample], data.dataset["box"][sample]
    final = data.dataset["position"][sample, 1, 1].astype(float)
    np.testing.assert_allclose(example.node_target, np.linalg.norm(final - start, axis=1), atol=1e-6)
    source, target = example.edge_index.numpy()
    before, after = (np.linalg.norm(minimum_image(x[target] - x[source], box), axis=1) for x in (final, start))
    np.testing.assert_allclose(example.edge_target, after - before, atol=1e-5)
    assert before.max() < 2.0 and len(structure.pairs) * 2 == len(source)
    assert example.weight.tolist() == pytest.approx([0.2]) and data.example(sample).weight.tolist() == [1.0]


def test_the_inherent_structure_is_an_energy_minimum(file):
    data = opened(file, reversed=1)
    found = data.configurations.get(data.split["train"][-1])
    assert np.abs(evaluate(found.inherent, found.species, found.box).force).max() <= 1e-6
    assert np.abs(evaluate(found.thermal, found.species, found.box).force).max() > 1


def test_inherent_structures_are_made_once_and_again_where_they_are_damaged(file):
    opened(file, reversed=2).prepare(SerialWorld())
    made = contents(file)
    assert len(made) == 4
    stamps = {path.name: path.stat().st_mtime_ns for path in folder_of(file).iterdir()}
    damaged, lost = sorted(folder_of(file).iterdir())[:2]
    damaged.write_bytes(damaged.read_bytes()[:500])
    lost.unlink()
    opened(file, reversed=2).prepare(SerialWorld())
    assert contents(file) == made
    kept = [name for name in made if name not in (damaged.name, lost.name)]
    assert all((folder_of(file) / name).stat().st_mtime_ns == stamps[name] for name in kept)


class _Rank(SerialWorld):
    """One of two ranks that make their shares one after the other."""

    def __init__(self, rank):
        super().__init__()
        self.rank, self.size = rank, 2


def test_any_number_of_ranks_makes_the_same_bytes(file):
    opened(file, reversed=2).prepare(SerialWorld())
    alone = contents(file)
    for path in folder_of(file).iterdir():
        path.unlink()
    for rank in (1, 0):
        opened(file, reversed=2).prepare(_Rank(rank))
        assert len(contents(file)) == (2 if rank else 4)
    assert contents(file) == alone


def test_where_nothing_can_be_kept_the_same_is_made_each_time(file):
    folder_of(file).write_text("in the way")
    data = opened(file, reversed=1)
    one, other = (data.configurations.get(data.split["train"][-1]).inherent for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_more_replicas_than_there_are_are_refused(file):
    with pytest.raises(UserError, match=r"data.reversed = 9: .* has 4 replicas; allowed: 0 to that"):
        opened(file, reversed=9)
