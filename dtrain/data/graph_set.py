"""What data sets of graphs of glass formers share: the keys of their loss, and how graphs are kept, turned and joined.

Units: Lennard-Jones.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from pydantic import Field
from torch import Tensor

from dtrain.data import DataSet, Network, Output
from dtrain.data.glass_graphs import GraphOptions
from dtrain.data.graphs import Graphs
from dtrain.data.store import Store
from dtrain.data.symmetry import draw_symmetry
from runkit.config import Config

if TYPE_CHECKING:
    from torch_geometric.data import Data

G = TypeVar("G", bound=Graphs)


class GlassLoss(Config):
    """Keys of [loss]."""

    p: float = Field(
        0.4, ge=0, le=1, description="weight of particles against edges: 1 is particles only, 0 edges only"
    )


class GraphSet(DataSet[G, GlassLoss]):
    """Graphs by their numbers; a data set derives from this class and makes them, one by one."""

    options: GraphOptions
    seed: int
    _store: Store[G]

    @property
    def context(self) -> dict[str, float]:
        return {}

    def example(self, number: int) -> G:
        """The graph of a sample with normalised targets, on the device; kept as far as the recipe allows."""
        return self._store.get(number, lambda: self._example(number))

    def batch(self, samples: Sequence[int], epochs: Sequence[int] | None = None) -> G:
        examples = [self.example(sample) for sample in samples]
        if epochs is not None and self.options.augment:
            symmetries = [draw_symmetry(self.seed, *of) for of in zip(epochs, samples, strict=True)]
            examples = [example.turned(by) for example, by in zip(examples, symmetries, strict=True)]
        return type(examples[0]).join(examples)

    @staticmethod
    def inputs(batch: Data | Graphs) -> tuple[Tensor, Tensor, Tensor]:
        return batch.x, batch.edge_index, batch.edge_attr

    def output(self, network: Network, batch: G) -> Output:
        return network(*self.inputs(batch))

    @staticmethod
    def objective(scores: Mapping[str, float], options: GlassLoss) -> float:
        """The correlation of particles, or of edges where only these are learnt."""
        return scores["rho_node" if options.p > 0 else "rho_edge"]

    @abstractmethod
    def _example(self, number: int) -> G:
        """The graph of a sample with normalised targets, made on the host."""
