"""Graphs of particle configurations: an edge for every ordered pair that is near in the periodic box.

Units: sigma.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch_geometric.data import Data

from runkit.errors import UserError


def near_pairs(position: np.ndarray, box: np.ndarray, cutoff: float) -> np.ndarray:
    """Pairs i < j with minimum-image distance < cutoff, lexicographic [n_pairs, 2]; UserError if the box is small."""
    if 2 * cutoff > box.min():
        raise UserError(
            f"data.cutoff = {cutoff:g} needs a box of at least {2 * cutoff:g}; the smallest edge is {box.min():g}"
        )
    wrapped = np.mod(position, box)
    wrapped[wrapped >= box] = 0.0  # what rounding put on the upper face
    pairs = cKDTree(wrapped, boxsize=box).query_pairs(cutoff, output_type="ndarray")
    vector = minimum_image(position[pairs[:, 1]] - position[pairs[:, 0]], box)
    pairs = pairs[np.einsum("ij,ij->i", vector, vector) < cutoff**2]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def minimum_image(vector: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Vectors [n, 3] to the nearest periodic image."""
    return vector - box * np.rint(vector / box)


def graph(species: np.ndarray, positions: list[np.ndarray], box: np.ndarray, pairs: np.ndarray) -> Data:
    """The graph of one configuration, both directions of every pair, sorted by target, then source.

    `x` [n, 1] species; `edge_attr` [n_edges, 3 * len(positions)] the vectors from source to target, one per given set
    of positions; `pair` [n_edges] which row of `pairs` an edge comes from.
    """
    directed = np.concatenate([pairs, pairs[:, ::-1]])
    order = np.lexsort((directed[:, 0], directed[:, 1]))
    source, target = directed[order].T
    vectors = [minimum_image(position[target] - position[source], box) for position in positions]
    return Data(
        x=torch.tensor(species, dtype=torch.float32)[:, None],
        edge_index=torch.from_numpy(np.stack([source, target]).astype(np.int64)),
        edge_attr=torch.from_numpy(np.concatenate(vectors, axis=1).astype(np.float32)),
        pair=torch.from_numpy((order % len(pairs)).astype(np.int32)),
    )
