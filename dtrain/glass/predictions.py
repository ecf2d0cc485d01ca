"""What a network says of isoconfigurational ensembles, and the PREDICTION file of it.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dtrain.data.glass import Glass
from dtrain.normalisation import DenormalisedNetwork
from dtrain.weights import Trained
from runkit.arrays import Floats
from runkit.dataset.contracts.prediction import PREDICTION
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.dataset.writer import Writer
from runkit.mpi import World
from runkit.progress import Progress

Prediction = tuple[int, Floats, Floats]  # sample, propensity [n_particles], bond change [n_bonds]


def predictions(trained: Trained, data: Glass, samples: Sequence[int], progress: Progress) -> Iterable[Prediction]:
    """The network's answers, one sample at a time; a bond's is the mean of its two directions."""
    model = DenormalisedNetwork(trained.network, trained.normalisation)
    device = next(model.parameters()).device
    for sample in samples:
        graph = data.structure(sample).to(device)
        propensity, change = model.predict(*data.inputs(graph))
        pair = graph.pair.cpu().numpy()
        n_bonds = len(pair) // 2
        yield sample, propensity, np.bincount(pair, weights=change, minlength=n_bonds) / 2
        progress.advance()


def write_predictions(
    world: World,
    path: Path,
    dataset: Dataset,
    which: tuple[Sequence[int], int],
    rows: Iterable[Prediction],
    about: Mapping[str, Any],
) -> None:
    """Write the PREDICTION file of samples and a time index, replacing an old one; collective.

    `rows` are this rank's predictions; together those of all ranks are the samples, each once.
    """
    samples, i_time = which
    lengths = dataset.sizes
    sizes = {"sample": len(samples), "time": 1, "particle": lengths["particle"], "bond": lengths["bond"]}
    with Writer.open(world, path, PREDICTION, sizes, about, replace=True, reads=[dataset.path]) as file:
        if world.is_root:
            file.write("time", (0,), dataset["time"][i_time])
            file.write("sample", (), np.array(samples, dtype=np.int32))
        file.sync()  # the checksums of units cover what root has written
        for sample, propensity, change in rows:
            place, n_bonds, capacity = samples.index(sample), len(change), sizes["bond"]
            file.write("propensity", (place, 0), propensity)
            file.write("n_bonds", (place,), n_bonds)
            file.write("bond", (place,), dataset["bond"][sample])
            file.write("bond_change", (place, 0), np.pad(change, (0, capacity - n_bonds), constant_values=np.nan))
            file.mark("predicted", (place,), COMPLETE)
        file.seal()
