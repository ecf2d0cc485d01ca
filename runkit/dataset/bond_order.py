"""How crystalline the surroundings of particles are, by the bond-orientational order of their neighbours.

A particle is crystalline if at least CONNECTIONS of its bonds join surroundings of the same orientation. That
distinguishes face-centred, hexagonal and body-centred crystals from a liquid, whatever the species.

Source: P. J. Steinhardt, D. R. Nelson, M. Ronchetti, Phys. Rev. B 28, 784 (1983), doi:10.1103/PhysRevB.28.784 (q_6);
P. R. ten Wolde, M. J. Ruiz-Montero, D. Frenkel, J. Chem. Phys. 104, 9932 (1996), doi:10.1063/1.471721 (connections).
Units: lengths relative to the mean distance of particles, density^(-1/3).
"""

from __future__ import annotations

import numpy as np

from runkit.arrays import Array

L = 6
SHELL = 1.5  # radius of the first shell of neighbours; its minimum lies at 1.5 for liquids at their freezing density
ALIKE = 0.6  # cosine between the q_6 of two particles, from which their bond is a connection
CONNECTIONS = 8


def crystalline_fraction(position: Array, box: Array) -> float:
    """Share of particles at `position` [n, 3] in the periodic `box` [3] that have crystalline surroundings."""
    n = len(position)
    first, second, bond = _bonds(position, box, SHELL * (np.prod(box) / n) ** (1 / 3))
    order = np.zeros((n, 2 * L + 1), complex)
    harmonics = _harmonics(bond)
    np.add.at(order, first, harmonics)
    length = np.linalg.norm(order, axis=1)
    order /= np.where(length > 0, length, 1)[:, None]
    alike = np.einsum("ij,ij->i", order[first], order[second].conj()).real > ALIKE
    return float((np.bincount(first[alike], minlength=n) >= CONNECTIONS).mean())


def _bonds(position: Array, box: Array, reach: float) -> tuple[Array, Array, Array]:
    """Both directions of all pairs closer than `reach`: first, second, and the vector between them.

    Particles that coincide have no bond: it would have no direction.
    """
    from scipy.spatial import cKDTree

    pair = cKDTree(np.mod(position, box) % box, boxsize=box).query_pairs(
        min(reach, box.min() / 2), output_type="ndarray"
    )
    first, second = np.concatenate([pair, pair[:, ::-1]]).T
    bond = position[second] - position[first]
    bond = bond - box * np.rint(bond / box)
    has_direction = bond.any(axis=1)
    return first[has_direction], second[has_direction], bond[has_direction]


def _harmonics(bond: Array) -> Array:
    """Spherical harmonics of degree 6 of vectors [n, 3]: complex [n, 13]."""
    from scipy.special import sph_harm_y

    polar = np.arccos(np.clip(bond[:, 2] / np.linalg.norm(bond, axis=1), -1, 1))
    azimuth = np.arctan2(bond[:, 1], bond[:, 0])
    return np.stack([sph_harm_y(L, m, polar, azimuth) for m in range(-L, L + 1)], axis=1)
