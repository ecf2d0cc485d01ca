"""A sanity baseline: ridge regression of mobility on smoothed radial densities around a particle.

For each species, G_k(i) = sum_j exp(-(r_ij - R_k)^2 / (2 w^2)) on a grid of radii R_k; then the same numbers averaged
over the neighbourhood, twice. They know nothing of angles or of the network. Whatever is trained should beat them;
what does not has learnt composition and density. Positions are either thermal or inherent.

Source: E. Boattini, F. Smallenburg and L. Filion, Phys. Rev. Lett. 127, 088007 (2021),
doi:10.1103/PhysRevLett.127.088007 (radial densities, averaged recursively, in a linear regression).
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from dtrain.metrics import pearson

NEAREST, FARTHEST, N_RADII = 0.8, 3.0, 23  # grid of radii, 0.1 apart
WIDTH = 0.07  # of a shell
AVERAGED = 2  # times that the densities are averaged over the neighbourhood
PENALTIES = (1e-1, 1e0, 1e1, 1e2, 1e3, 1e4)


@dataclass(frozen=True)
class Ridge:
    """A linear map of standardised features: `predict(x)` is `(x - mean) / scale @ weight + offset`."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    offset: float

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predictions [n] for features [n, n_features]."""
        return (features - self.mean) / self.scale @ self.weight + self.offset


def particle_features(position: np.ndarray, species: np.ndarray, box: np.ndarray, n_species: int) -> np.ndarray:
    """Radial densities and their averages, [n_particles, (1 + AVERAGED) * n_species * N_RADII]."""
    first, second, distance = _pairs(position, box)
    density = _radial_density(first, distance, species[second], len(position), n_species)
    near = distance < FARTHEST / 2
    weight = csr_matrix(
        (np.exp(-distance[near] / (FARTHEST / 4)), (first[near], second[near])), shape=(len(position),) * 2
    )
    weight.setdiag(1.0)
    total = np.asarray(weight.sum(axis=1))
    layers = [density]
    for _ in range(AVERAGED):
        layers.append(weight @ layers[-1] / total)
    return np.concatenate(layers, axis=1)


def bond_features(feature: np.ndarray, bond: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Features [n_bonds, n] of pairs: both particles' features summed, and powers of their distance."""
    own = np.stack([distance, distance**2, distance**3], axis=1)
    return np.concatenate([feature[bond[:, 0]] + feature[bond[:, 1]], own], axis=1)


def fit(features: Sequence[np.ndarray], target: Sequence[np.ndarray], penalty: float) -> Ridge:
    """The ridge regression of targets [n] on features [n, n_features], one pair of arrays per configuration."""
    x, y = np.concatenate(features), np.concatenate(target).astype(np.float64)
    mean, scale, offset = x.mean(axis=0), x.std(axis=0), float(y.mean())
    scale = np.where(scale > 1e-9 * (1 + np.abs(mean)), scale, np.inf)
    x = (x - mean) / scale
    weight = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (y - offset))
    return Ridge(mean, scale, weight, offset)


def fit_validated(
    train: tuple[Sequence[np.ndarray], Sequence[np.ndarray]],
    validation: tuple[Sequence[np.ndarray], Sequence[np.ndarray]],
) -> Ridge:
    """The ridge regression on (features, targets) of `train` whose penalty serves `validation` best."""

    def quality(ridge: Ridge) -> float:
        return float(np.mean([pearson(ridge.predict(x), y) for x, y in zip(*validation, strict=True)]))

    return max((fit(*train, penalty) for penalty in PENALTIES), key=quality)


def _pairs(position: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every ordered pair nearer than the last shell: first and second index, minimum-image distance."""
    wrapped = position - np.floor(position / box) * box
    pair = cKDTree(np.where(wrapped < box, wrapped, 0.0), boxsize=box).query_pairs(
        min(FARTHEST + 2 * WIDTH, 0.5 * float(np.min(box))), output_type="ndarray"
    )
    vector = position[pair[:, 1]] - position[pair[:, 0]]
    distance = np.linalg.norm(vector - np.round(vector / box) * box, axis=1)
    return np.r_[pair[:, 0], pair[:, 1]], np.r_[pair[:, 1], pair[:, 0]], np.r_[distance, distance]


def _radial_density(first, distance, species, n_particles: int, n_species: int) -> np.ndarray:
    """G [n_particles, n_species * N_RADII]: neighbours of each species (of the second particle) in each shell."""
    radii = np.linspace(NEAREST, FARTHEST, N_RADII)
    density = np.empty((n_particles, n_species, N_RADII))
    for one in range(n_species):
        centre, r = first[species == one], distance[species == one]
        for k, radius in enumerate(radii):
            shell = np.exp(-((r - radius) ** 2) / (2 * WIDTH**2))
            density[:, one, k] = np.bincount(centre, weights=shell, minlength=n_particles)
    return density.reshape(n_particles, -1)
