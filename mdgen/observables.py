"""Observables of isoconfigurational ensembles: labels of particles and bonds, their noise, and averages per species.

Definitions: propensity is the replica mean of |r_i(t) - r_i(0)|, of unwrapped positions and without subtracting the
motion of the centre of mass; bond change is the replica mean of |r_ij(t)| - |r_ij(0)| of pairs that were neighbours.
Source: A. Widmer-Cooper, P. Harrowell and H. Fynewever, Phys. Rev. Lett. 93, 135701 (2004),
doi:10.1103/PhysRevLett.93.135701; H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.spatial import cKDTree

from mdgen.initial import Configuration, wrap
from runkit import elementary
from runkit.arrays import F64, I32, Array, Ints
from runkit.dataset.contracts.isoconfig import CLOSE_PAIR
from runkit.rng import stream

OVERLAP_LENGTH = 0.3
N_SPLITS = 20


def sample_labels(
    slices: Iterable[Array],
    start: Configuration,
    n_species: int,
    bond_cutoff: float = 2.0,
    wave_number: float = 7.25,
) -> dict[str, Array]:
    """All labels of one sample, by the names of the ISOCONFIG fields; one time at a time is in memory.

    `slices` are the positions [n_replicas, n_particles, 3] of each time, unwrapped with respect to `start`. Axis time
    comes first in everything but `bond` [n_bonds, 2].
    """
    bond = neighbour_pairs(start.position, start.box, bond_cutoff)
    rows = [_time_labels(position, start, n_species, bond, wave_number) for position in slices]
    return {"bond": bond} | {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _time_labels(
    position: F64, start: Configuration, n_species: int, bond: I32, wave_number: float
) -> dict[str, F64 | float | list[float]]:
    moved = displacement(position, start.position)
    change = bond_change(position, start, bond)
    is_a = start.species == 0
    scored = is_a[bond].all(axis=1) & (distance(start.position, bond, start.box) < CLOSE_PAIR)
    averages = [species_averages(moved[:, start.species == species], wave_number) for species in range(n_species)]
    return {
        "propensity": moved.mean(axis=0),
        "propensity_error": standard_error(moved),
        "propensity_reliability": reliability(moved[:, is_a]),
        "bond_change": change.mean(axis=0),
        "bond_change_error": standard_error(change),
        "bond_change_reliability": reliability(change[:, scored]),
        **{name: [of_species[name] for of_species in averages] for name in averages[0]},
    }


def species_averages(moved: F64, wave_number: float) -> dict[str, float]:
    """Averages over the displacements |r_i(t) - r_i(0)| of one species, of any shape, by the names of the ISOCONFIG
    fields; NaN for a species without particles."""
    scattering = self_scattering(moved, wave_number)
    values = {
        "mean_squared_displacement": moved**2,
        "overlap": moved < OVERLAP_LENGTH,
        "self_scattering": scattering,
    }
    return {name: float(one.mean()) if one.size else float("nan") for name, one in values.items()}


def displacement(position: F64, initial: F64) -> F64:
    """|r_i(t) - r_i(0)| [n_replicas, n_particles] of unwrapped positions [n_replicas, n_particles, 3]."""
    found: F64 = np.linalg.norm(position - initial, axis=-1)
    return found


def self_scattering(moved: F64, wave_number: float) -> F64:
    """exp(iq·Δr) averaged over the directions of q: sin(q Δr) / (q Δr), of distances of any shape."""
    return elementary.sinc(wave_number * np.asarray(moved, np.float64))


def neighbour_pairs(position: F64, box: F64, cutoff: float) -> I32:
    """Pairs i < j closer than `cutoff`, minimum image, in lexicographic order, int32 [n_pairs, 2]."""
    pair = cKDTree(wrap(position, box), boxsize=box).query_pairs(cutoff, output_type="ndarray")
    pair = pair[distance(position, pair, box) < cutoff]
    found: I32 = pair[np.lexsort((pair[:, 1], pair[:, 0]))].astype(np.int32)
    return found


def distance(position: F64, pair: Ints, box: F64) -> F64:
    """Minimum-image distances [..., n_pairs] in positions [..., n_particles, 3]."""
    first, second = pair.T
    vector = position[..., second, :] - position[..., first, :]
    vector = vector - np.round(vector / box) * box
    found: F64 = np.sqrt(elementary.squared_length(vector))
    return found


def bond_change(position: F64, start: Configuration, bond: I32) -> F64:
    """|r_ij(t)| - |r_ij(0)| [n_replicas, n_bonds], minimum image."""
    before = distance(start.position, bond, start.box)
    return np.array([distance(np.asarray(one, np.float64), bond, start.box) - before for one in position])


def standard_error(values: Array) -> F64:
    """Standard error of the mean over axis 0, the replicas; NaN for one replica."""
    n_replicas = len(values)
    if n_replicas < 2:
        return np.full(values.shape[1:], np.nan)
    found: F64 = values.std(axis=0, ddof=1) / np.sqrt(n_replicas)
    return found


def reliability(values: Array) -> float:
    """Split-half reliability of replica means, from `values` [n_replicas, n_items].

    Correlation of the means of two halves of the replicas, averaged over fixed random splits and stepped up to the
    full number by Spearman–Brown, 2 r / (1 + r). It is the square of the largest Pearson correlation that a perfect
    prediction can reach. NaN if items are fewer than three or do not vary.
    """
    n_half = len(values) // 2
    if n_half == 0 or values.shape[1] < 3:
        return float("nan")
    random = stream(0, "split-half")
    correlations = []
    for _ in range(N_SPLITS):
        order = random.permutation(len(values))
        halves = values[order[:n_half]].mean(axis=0), values[order[n_half : 2 * n_half]].mean(axis=0)
        correlations.append(_pearson(*halves))
    mean = float(np.mean(correlations))
    return 2 * mean / (1 + mean)


def _pearson(x: F64, y: F64) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / scale) if scale > 0 else float("nan")
