"""What a network of glass formers is compared with: linear models, solved on the samples that it has learnt from.

`linear` knows the structure alone, whatever the network simulates. `short simulation alone` is there beside a network
that takes cages from one: it knows how far each particle goes in its later half, of pairs also their distances, and
nothing else of the structure. A rival is a way to see the data, a class of this file that `RIVALS` names.

Units: those of the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from dtrain.data.cage import Cage, CageOptions
from dtrain.data.configurations import Configuration
from dtrain.data.glass import Glass
from dtrain.glass.predictions import Prediction, answered
from dtrain.least_squares import solve
from dtrain.models.linear import Linear
from dtrain.weights import Trained
from runkit.arrays import Floats
from runkit.mpi import World


class Structure(Glass):
    """Descriptors of the structure; no simulation is made."""

    KEYS: ClassVar[dict[str, Any]] = {  # of [data], in place of those of a network
        "descriptors": True,
        "positions": "both",
        "augment": False,
        "cage": CageOptions(),
    }
    SIMULATES: ClassVar[bool] = False  # whether it stands beside networks with cages alone


class Displacements(Glass):
    """How far particles go in the short simulation, instead of descriptors."""

    KEYS: ClassVar[dict[str, Any]] = {"positions": "both", "augment": False}
    SIMULATES: ClassVar[bool] = True

    @property
    def sizes(self) -> dict[str, int]:
        return {**super().sizes, "node_width": 3, "n_leading": 1}

    def _descriptors(self, found: Configuration) -> Floats:
        """The length of displacements, less the mean and in units of the spread, and the mean [n, 2].

        That is one number of a cage, in the later half of the times. A network has the others too, and their means over
        neighbours.
        """
        assert found.cage is not None
        length = Cage.of_array(found.cage).later_length
        mean = np.full(len(length), length.mean())
        return np.stack([(length - mean) / (length.std() or 1.0), mean], axis=1)


RIVALS: dict[str, type[Structure | Displacements]] = {"linear": Structure, "short simulation alone": Displacements}


def rivals_of(data: Glass, model: str) -> list[str]:
    """The names of those that stand beside a network, by its data and the name of its model."""
    if not data.parts.get("train"):
        return []
    simulates = data.options.cage.replicas > 0  # without, a rival of the model's own name would be this model
    return [name for name, kind in RIVALS.items() if simulates or not (kind.SIMULATES or name == model)]


def answers_of(world: World, name: str, trained: Trained, data: Glass, samples: Sequence[int]) -> list[Prediction]:
    """What a rival answers for this rank's share of samples, solved on those that a network was trained on; collective.

    That is at the time of the data.
    """
    kind = RIVALS[name]
    seen = kind(data.options.model_copy(update=kind.KEYS), seed=data.seed)
    seen.parts.clear()
    seen.parts.update(data.parts)
    seen.prepare(world)
    network = Linear(**seen.sizes)
    solve(world, network, seen, name)
    solved = replace(trained, network=network, normalisation=seen.normalisation)
    return answered(world, solved, seen, samples, name)
