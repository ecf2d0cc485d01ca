"""Configurations of an ISOCONFIG file with their labels at one time: initial ones, and final ones taken as reversed.

Motion is reversible: the final configuration of a replica is an equilibrium configuration too, from which one
trajectory is known, the one back to the initial configuration. So each replica gives one more configuration to learn
from, whose labels are those of a single trajectory, for the price of its inherent structure.

Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dtrain.data import mark_of
from dtrain.data.cage import CAGE_WIDTH, HOW_SEEN, Cage, CageOptions, cages
from dtrain.data.kept import kept, refusal
from dtrain.data.pairs import distances
from runkit.arrays import F64, Array, Floats, Ints
from runkit.dataset.reader import Dataset
from runkit.errors import UserError


class Configuration(NamedTuple):
    """Species [n], box [3], and positions [n, 3] as they are in the liquid and in the inherent structure; cages, where
    they were added (`Cage.array`)."""

    species: Ints
    box: F64
    thermal: F64
    inherent: F64
    cage: F64 | None = None


class Configurations:
    """Configurations by number: those of the file, then those of replica 0 reversed, of replica 1, and so on."""

    def __init__(self, dataset: Dataset, i_time: int, n_reversed: int, cage: CageOptions | None = None) -> None:
        self.dataset, self.i_time, self.cage = dataset, i_time, cage
        self._n_samples = dataset.sizes["sample"]
        if n_reversed and "position" not in dataset:
            raise UserError(f"data.reversed = {n_reversed}: {dataset.path} has no trajectories; 0 is needed")
        if n_reversed > dataset.sizes["replica"]:
            message = f"{dataset.path} has {dataset.sizes['replica']} replicas; allowed: 0 to that"
            raise UserError(f"data.reversed = {n_reversed}: {message}")
        self.n_reversed = n_reversed

    def with_reversed(self, samples: list[int]) -> list[int]:
        """The samples, then the reversed replicas of each."""
        return samples + [sample + (1 + k) * self._n_samples for k in range(self.n_reversed) for sample in samples]

    def is_reversed(self, number: int) -> bool:
        """Whether a number is that of a reversed replica."""
        return number >= self._n_samples

    def get(self, number: int) -> Configuration:
        """The configuration of a number, without cages."""
        replica, sample = divmod(number, self._n_samples)
        species, box = self.dataset["species"][sample], self.dataset["box"][sample]
        if not replica:
            positions = (self.dataset[name][sample] for name in ("initial_position", "inherent_position"))
            return Configuration(species, box, *positions)
        final = self._final(sample, replica - 1)
        return Configuration(species, box, final, self._inherent(sample, replica - 1, final, species, box))

    def seen(self, number: int) -> Configuration:
        """The configuration of a number with all that descriptors take: cages, where they are wanted."""
        found = self.get(number)
        return found if self.cage is None else found._replace(cage=self._cage(number, found, self.cage))

    def kept_of(self, numbers: Sequence[int]) -> list[int]:
        """Those of some numbers of which something is made that is kept."""
        return [number for number in numbers if self.cage is not None or self.is_reversed(number)]

    def refused(self) -> str:
        """Which folder beside the file cannot be written, and why; nothing where all can that are needed."""
        endings = ["cages"] * (self.cage is not None) + ["reversed"] * (self.n_reversed > 0)
        told = {ending: refusal(self._folder(ending)) for ending in endings}
        return "; ".join(f"{self._folder(ending)}: {why}" for ending, why in told.items() if why)

    def labels(self, number: int, pairs: Ints) -> tuple[Floats, Floats]:
        """Displacements [n] and changes of the distance of pairs [n_pairs] in the trajectory of a reversed replica."""
        replica, sample = divmod(number, self._n_samples)
        start, final = self.dataset["initial_position"][sample], self._final(sample, replica - 1)
        box = self.dataset["box"][sample]
        before, after = (distances(x, pairs, box) for x in (final, start))
        return np.linalg.norm(final - start, axis=1).astype(np.float32), (after - before).astype(np.float32)

    def _final(self, sample: int, replica: int) -> F64:
        return np.asarray(self.dataset["position"][sample, self.i_time, replica], np.float64)

    def _inherent(self, sample: int, replica: int, final: F64, species: Ints, box: F64) -> F64:
        """The inherent structure of a final configuration, kept beside the file under what it is made from."""
        from mdgen.api import inherent_position  # loads a compiler, which no program needs that reverses nothing

        mark = mark_of(final, species, box, np.array(_in_words(*self._law)))
        place = f"reversed/{sample:05}_{self.i_time:02}_{replica:04}_{mark}"
        named = f"data.reversed = {self.n_reversed}: sample {sample}, replica {replica}"
        return self._kept(place, final.shape, named, lambda: inherent_position(final, species, box, *self._law))

    def _cage(self, number: int, found: Configuration, options: CageOptions) -> F64:
        """The cages of a configuration, kept beside the file under what they are made from."""
        replica, sample = divmod(number, self._n_samples)
        temperature = float(self.dataset["temperature"][sample])
        about = np.array(f"{self._whole_law} {temperature!r} {options.replicas} {options.time!r} {HOW_SEEN}")
        mark = mark_of(found.thermal, found.inherent, found.species, found.box, about)
        place = f"cages/{sample:05}{f'_{self.i_time:02}_{replica - 1:04}' if replica else ''}_{mark}"

        def make() -> Array:
            return cage_of(found, temperature, options, self._law).array

        return self._kept(place, (len(found.species), CAGE_WIDTH), f"data.cage: sample {sample}", make)

    def _kept(self, place: str, shape: tuple[int, ...], named: str, make: Callable[[], Array]) -> F64:
        """Finite numbers of a shape that are kept at a place beside the file: folder/name."""

        def made() -> Array:
            try:
                return make()
            except UserError as error:
                raise UserError(f"{named} of {self.dataset.path}: {error}") from error

        def fits(found: Array) -> bool:
            return found.shape == shape and found.dtype == np.float64 and bool(np.isfinite(found).all())

        ending, name = place.split("/")
        return kept(self._folder(ending) / f"{name}.npz", made, fits)

    def _folder(self, ending: str) -> Path:
        return Path(f"{self.dataset.path}.{ending}")

    @property
    def _law(self) -> tuple[str, dict[str, Any]]:
        return law_of(self.dataset.config.get("system", {}))

    @cached_property
    def _whole_law(self) -> str:
        from mdgen.api import law_in_words  # loads a compiler

        return law_in_words(*self._law)


def read_configurations(path: str) -> list[tuple[str, Configuration]]:
    """(source, configuration) of all that a file holds, of any kind that `mdgen.read` reads, without inherent
    positions: these are NaN. Raises UserError."""
    from mdgen.formats import read  # loads scipy and gsd, which only files of others need

    return [
        (one.source, Configuration(one.species, one.box, one.position, np.full_like(one.position, np.nan)))
        for one in read(path)
    ]


def with_inherent(found: Configuration, potential: str, parameters: Mapping[str, Any]) -> Configuration:
    """A configuration with the inherent structure below it; raises UserError."""
    from mdgen.api import inherent_position  # loads a compiler

    return found._replace(
        inherent=inherent_position(found.thermal, found.species, found.box, potential, dict(parameters))
    )


def cage_of(found: Configuration, temperature: float, options: CageOptions, law: tuple[str, Mapping[str, Any]]) -> Cage:
    """The cages of a configuration in a potential with its parameters (`law`); raises UserError."""
    arrays = found.thermal, found.inherent, found.species, found.box
    length = options.length
    return cages(*arrays, temperature, replicas=options.replicas, time=length, potential=law[0], parameters=law[1])


def _in_words(potential: str, parameters: Mapping[str, Any]) -> str:
    """A potential, for digests."""
    return f"{potential} {sorted(parameters.items())}"


def law_of(system: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and parameters of the potential that data were made with; Kob and Andersen's where the file has none."""
    return system.get("potential", "kob-andersen"), system.get("parameters", {})
