"""Data sets: one per file, registered by name: inputs and targets of a network, its loss and its validation scores.

`DataSet` is the protocol of one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dtrain.data.tensors import Tensors
from dtrain.normalisation import Normalisation
from runkit.arrays import Array
from runkit.config import Config
from runkit.dataset.outcome import outcome_of
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from runkit.mpi import World
from runkit.registry import ClassRegistry

Batch = TypeVar("Batch", bound=Tensors)
Batch_co = TypeVar("Batch_co", bound=Tensors, covariant=True)
Keys_contra = TypeVar("Keys_contra", bound=Config, contravariant=True)
Output: TypeAlias = tuple[Tensor, ...]


class Options(Config):
    """Keys of `[data]` that every data set has."""

    name: str
    memory: float = Field(4.0, ge=0, description="samples kept in the host's memory by each process [GiB]")
    device_memory: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of a GPU's free memory for samples, which stay there if all fit; else batches are sent",
    )
    file: str = Field(min_length=1, description="file of a generator")

    @property
    def sources(self) -> tuple[str, ...]:
        """All files that are read, that of `file` first."""
        return (self.file,)


DataOptions: TypeAlias = Options


class Network(Protocol):
    """What is called as a network: one of `dtrain.models`, or the engine that trains it."""

    def __call__(self, *inputs: Tensor) -> Output:
        """The answer to the tensors of `DataSet.inputs`."""

    def buffers(self) -> Iterator[Tensor]:
        """What the network keeps beside its weights, such as running statistics."""


class Batches(Protocol[Batch_co]):
    """What gives batches of samples, which are numbers."""

    @abstractmethod
    def batch(self, samples: Sequence[int], epochs: Sequence[int] | None = None) -> Batch_co:
        """Samples as one batch, as they are in the file, or augmented if the epoch of each is given.

        What is drawn follows from seed, epoch and sample alone. Threads call it, and nothing makes them wait for a GPU.
        """


class DataSet(Batches[Batch], Protocol[Batch, Keys_contra]):
    """Samples of one file: inputs and targets of a network, its loss and its validation scores.

    Samples are numbers. A data set derives from this class, names its batches (a dataclass of tensors) and the keys of
    its loss, and registers itself. Everything raises UserError for a file that does not hold what is needed.
    """

    Options: ClassVar[type[DataOptions]]
    """Keys of `[data]` in a recipe; `name` has the registered name as its default."""
    Loss: ClassVar[type[Config]]
    """Keys of `[loss]` in a recipe."""

    options: DataOptions

    @abstractmethod
    def __init__(self, options: DataOptions, seed: int = 0) -> None:
        """Open the file; `seed` is that of the split and of what is drawn."""

    @property
    @abstractmethod
    def split(self) -> dict[str, list[int]]:
        """Samples of "train", "validation" and "test".

        What is drawn may be a part of what is split: flow splits by case and draws clips of cases.
        """

    @property
    @abstractmethod
    def normalisation(self) -> Normalisation:
        """Mean and spread of each output over the training targets."""

    @property
    @abstractmethod
    def parts(self) -> dict[str, list[int]]:
        """Part -> what is split, as numbers; one dictionary, whose content may be replaced before `split` is used."""

    @property
    @abstractmethod
    def usable(self) -> list[int]:
        """All numbers that the parts could hold."""

    @abstractmethod
    def mark(self, number: int, /) -> str:
        """A digest of the content of one of `usable`, unlike that of all others (see `mark_of`, `dtrain.origin`)."""

    @property
    @abstractmethod
    def context(self) -> dict[str, float]:
        """How the file was made, as far as it is not among the inputs: name -> number (`dtrain.origin`)."""

    @property
    def system(self) -> dict[str, Any]:
        """What was simulated, kept in the header of weights as JSON for predictions with them."""
        return {}

    @abstractmethod
    def require(self, options: Keys_contra) -> None:
        """Raise UserError if a phase with these keys of `[loss]` cannot learn from the data."""

    @property
    @abstractmethod
    def sizes(self) -> dict[str, Any]:
        """Arguments of the network that the data determine."""

    def prepare(self, world: World) -> None:
        """Make what is kept beside the file and takes long, in shares over the processes; collective."""
        return

    @abstractmethod
    def place(self, device: torch.device) -> str:
        """Form batches on a device from now on; samples stay there if they fit. Returns where they are kept."""

    @staticmethod
    @abstractmethod
    def inputs(batch: Batch) -> tuple[Tensor, ...]:
        """The tensors that the network is called with."""

    @abstractmethod
    def output(self, network: Network, batch: Batch) -> Output:
        """The network's answer, in as many calls as the task takes."""

    @abstractmethod
    def loss(self, output: Output, batch: Batch, options: Keys_contra) -> dict[str, Tensor]:
        """Name -> one value per sample [n_samples]; "loss" is what is minimised. Does not wait for a GPU."""

    @abstractmethod
    def scores(self, output: Output, batch: Batch) -> dict[str, float]:
        """Name -> number for a batch of one sample."""

    @abstractmethod
    def objective(self, scores: Mapping[str, float], options: Keys_contra) -> float:
        """One number of the mean scores and losses over the validation samples: the larger the better."""


# Programs hand batches and keys on without looking at them: each data set has its own.
AnyDataSet: TypeAlias = DataSet[Any, Any]

data: ClassRegistry[AnyDataSet] = ClassRegistry("data set", "dtrain.data")


def dataset_at(file: str, schema: str) -> Dataset:
    """The file that `data.file` names; UserError if it cannot be read, or holds data of another schema."""
    dataset = Dataset(file)
    try:
        found = dataset.schema.name
    except UserError as error:
        raise UserError(f"data.file: {error}") from error
    if found != schema:
        raise UserError(f"data.file: {file} holds {found} data; this recipe needs {schema}")
    return dataset


def complete(dataset: Dataset, status: Array) -> list[int]:
    """Numbers of the units that are complete, by the status of each [n]; UserError if none is: all have failed."""
    found: list[int] = np.flatnonzero(status == COMPLETE).tolist()
    if not found:
        raise UserError(f"{dataset.path}: nothing can be used: {outcome_of(dataset)}")
    return found


def mark_of(*arrays: Array) -> str:
    """A short digest of the content of arrays."""
    found = sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:20]
