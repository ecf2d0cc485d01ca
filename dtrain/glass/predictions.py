"""Predictions of a network for isoconfigurational ensembles, and the PREDICTION file of them.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dtrain.data.glass import Glass
from dtrain.normalisation import DenormalisedNetwork
from dtrain.weights import Trained
from runkit.arrays import F64, Floats, Ints
from runkit.dataset.contracts.prediction import PREDICTION
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.dataset.writer import Writer
from runkit.mpi import World
from runkit.progress import Progress

if TYPE_CHECKING:
    from torch_geometric.data import Data

Prediction = tuple[int, Floats, Floats]  # sample, propensity [n_particles], bond change [n_bonds]; or of some times
# Place in the file, (species, box, position), propensity, bonds, their change.
Row = tuple[int, tuple[Ints, Floats, Floats], Floats, Ints, Floats]


def predictions(trained: Trained, data: Glass, samples: Sequence[int], progress: Progress) -> Iterable[Prediction]:
    """The network's answers, one sample at a time."""
    for sample in samples:
        yield sample, *answers(trained, data.structure(sample))
        progress.advance()


def answered(world: World, trained: Trained, data: Glass, samples: Sequence[int], title: str) -> list[Prediction]:
    """The network's answers for this rank's share of samples; `title` stands before the progress."""
    mine = [samples[i] for i in world.share(len(samples))]
    with Progress(world, len(mine), "samples", title) as progress:
        return list(predictions(trained, data, mine, progress))


def answers(trained: Trained, graph: Data) -> tuple[Floats, F64]:
    """Propensity [n] and bond change [n_pairs] of a graph (`structure_of`), sigma; of a network at some times [n,
    n_times] and [n_pairs, n_times]. That of a pair is the mean of its two directions.
    """
    model = DenormalisedNetwork(trained.network, trained.normalisation)
    graph = graph.to(trained.device)
    propensity, change = model.predict(*Glass.inputs(graph))
    pair = graph.pair.cpu().numpy()

    def of_pairs(values: Floats) -> F64:
        mean: F64 = np.bincount(pair, weights=values, minlength=len(pair) // 2) / 2
        return mean

    return propensity, np.apply_along_axis(of_pairs, 0, change)


def write_predictions(
    world: World,
    path: Path,
    dataset: Dataset,
    which: tuple[Sequence[int], float],
    rows: Iterable[Prediction],
    about: Mapping[str, Any],
) -> None:
    """Write the PREDICTION file of samples at a time, replacing an old one; collective.

    `rows` are this rank's predictions; together those of all ranks are the samples, each once.
    """
    samples, _ = which
    capacity = dataset.sizes["particle"], dataset.sizes["bond"]
    of_file = (_row(dataset, samples, *row) for row in rows)
    write_rows(world, path, dataset.path, which, capacity, about, of_file)


def write_rows(
    world: World,
    path: Path,
    source: Path | str,
    which: tuple[Sequence[int], float],
    capacity: tuple[int, int],
    about: Mapping[str, Any],
    rows: Iterable[Row],
) -> None:
    """Write the PREDICTION file of a source, replacing an old one; collective.

    `which` are the numbers of samples and the time; `capacity` are the numbers of particles and of bonds of the
    arrays; samples may have fewer. `rows` are this rank's.
    """
    (samples, time), (n_particles, n_bonds) = which, capacity
    sizes = {"sample": len(samples), "time": 1, "particle": n_particles, "bond": n_bonds}
    with Writer.open(world, path, PREDICTION, sizes, about, replace=True, reads=[source]) as file:
        if world.is_root:
            file.write("time", (0,), time)
            file.write("sample", (), np.array(samples, dtype=np.int32))
        file.sync()  # the checksums of units cover what root has written
        for row in rows:
            _write_row(file, *row)
        file.seal()


def _write_row(
    file: Writer, place: int, structure: tuple[Ints, Floats, Floats], propensity: Floats, bond: Ints, change: Floats
) -> None:
    for name, values in zip(("species", "box", "initial_position"), structure, strict=True):
        file.write(name, (place,), values)
    n_bonds, capacity = len(bond), file.shape("bond")[1]
    file.write("propensity", (place, 0), propensity)
    file.write("n_bonds", (place,), n_bonds)
    file.write("bond", (place,), np.pad(bond, ((0, capacity - n_bonds), (0, 0)), constant_values=-1))
    file.write("bond_change", (place, 0), np.pad(change, (0, capacity - n_bonds), constant_values=np.nan))
    file.mark("predicted", (place,), COMPLETE)


def _row(dataset: Dataset, samples: Sequence[int], sample: int, propensity: Floats, change: Floats) -> Row:
    species, box, position = (dataset[name][sample] for name in ("species", "box", "initial_position"))
    return samples.index(sample), (species, box, position), propensity, dataset["bond"][sample, : len(change)], change
