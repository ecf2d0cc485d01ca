"""Simple local descriptors: smoothed radial densities around a particle, and their averages over the neighbourhood.

For each species, G_k(i) = sum_j exp(-(r_ij - R_k)^2 / (2 w^2)) on a grid of radii R_k; then the same numbers averaged
over the neighbourhood, twice. They know nothing of angles.

Source: E. Boattini, F. Smallenburg and L. Filion, Phys. Rev. Lett. 127, 088007 (2021),
doi:10.1103/PhysRevLett.127.088007 (radial densities, averaged recursively).
Units: sigma.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from runkit.arrays import F64, Floats, Ints

NEAREST, FARTHEST, N_RADII = 0.8, 3.0, 23  # grid of radii, 0.1 apart
WIDTH = 0.07  # of a shell
AVERAGED = 2  # times that the densities are averaged over the neighbourhood


def particle_features(position: Floats, species: Ints, box: Floats, n_species: int) -> F64:
    """Radial densities and their averages, [n_particles, (1 + AVERAGED) * n_species * N_RADII]."""
    first, second, distance = _pairs(position, box)
    n_particles = len(position)
    near = distance < FARTHEST / 2
    weight = csr_matrix(
        (np.exp(-distance[near] / (FARTHEST / 4)), (first[near], second[near])), shape=(n_particles, n_particles)
    )
    weight.setdiag(1.0)
    total = np.asarray(weight.sum(axis=1)).reshape(-1, 1)
    layers = [_radial_density(first, distance, species[second], n_particles, n_species)]
    for _ in range(AVERAGED):
        layers.append(weight @ layers[-1] / total)
    return np.concatenate(layers, axis=1)


def bond_features(feature: Floats, bond: Ints, distance: Floats) -> Floats:
    """Features [n_bonds, n] of pairs: both particles' features summed, and powers of their distance."""
    own = np.stack([distance, distance**2, distance**3], axis=1)
    return np.concatenate([feature[bond[:, 0]] + feature[bond[:, 1]], own], axis=1)


def pair_distance(position: Floats, bond: Ints, box: Floats) -> Floats:
    """Minimum-image distances [n_bonds]."""
    vector = position[bond[:, 1]] - position[bond[:, 0]]
    found: Floats = np.linalg.norm(vector - np.round(vector / box) * box, axis=1)
    return found


def _pairs(position: Floats, box: Floats) -> tuple[Ints, Ints, Floats]:
    """Every ordered pair that the last shell can see: first and second index, distance."""
    wrapped = position - np.floor(position / box) * box
    reach = min(FARTHEST + 5 * WIDTH, 0.5 * float(np.min(box)))
    pair = cKDTree(np.where(wrapped < box, wrapped, 0.0), boxsize=box).query_pairs(reach, output_type="ndarray")
    distance = pair_distance(position, pair, box)
    return np.r_[pair[:, 0], pair[:, 1]], np.r_[pair[:, 1], pair[:, 0]], np.r_[distance, distance]


def _radial_density(first: Ints, distance: Floats, species: Ints, n_particles: int, n_species: int) -> F64:
    """G [n_particles, n_species * N_RADII]: neighbours of each species (of the second particle) in each shell."""
    radii = np.linspace(NEAREST, FARTHEST, N_RADII)
    density = np.empty((n_particles, n_species, N_RADII))
    for one in range(n_species):
        centre, r = first[species == one], distance[species == one]
        for k, radius in enumerate(radii):
            shell = np.exp(-((r - radius) ** 2) / (2 * WIDTH**2))
            density[:, one, k] = np.bincount(centre, weights=shell, minlength=n_particles)
    return density.reshape(n_particles, -1)
