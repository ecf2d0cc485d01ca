"""Small Kob–Andersen configurations, and sums over all pairs to compare with."""

from __future__ import annotations

import numpy as np

from mdgen.potentials import potential
from mdgen.potentials.lennard_jones import LennardJones
from mdgen.potentials.pair import PairPotential


def kob_andersen() -> PairPotential:
    return potential.build("kob-andersen")


def lennard_jones(epsilon, sigma, cutoff) -> PairPotential:
    """The law of these matrices [n_species, n_species]."""
    return PairPotential.of(LennardJones(), cutoff, epsilon=epsilon, sigma=sigma)


def faint(cutoff) -> PairPotential:
    """A law with these cutoffs [n_species, n_species] and next to no force."""
    return lennard_jones(np.full_like(cutoff, 1e-9), np.full_like(cutoff, 1e-3), cutoff)


def jittered_lattice(n_edge=6, density=1.2, jitter=0.04, seed=0):
    """Position [n, 3], species and cubic box [3]: a simple cubic lattice, shaken, in random order."""
    random = np.random.default_rng(seed)
    spacing = density ** (-1 / 3)
    site = np.stack(np.meshgrid(*[np.arange(n_edge)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    position = random.permutation(spacing * (site + 0.5)) + jitter * random.normal(size=(n_edge**3, 3))
    return position, (random.random(n_edge**3) < 0.2).astype(int), np.full(3, n_edge * spacing)


def replicas(n_replicas, temperature=0.6, seed=0, **lattice):
    """Equal positions [R, n, 3], different velocities of zero momentum, species and box."""
    position, species, box = jittered_lattice(seed=seed, **lattice)
    velocity = np.random.default_rng(seed + 1).normal(size=(n_replicas, *position.shape)) * temperature**0.5
    velocity -= velocity.mean(axis=1, keepdims=True)
    return np.repeat(position[None], n_replicas, axis=0), velocity, species, box


def all_pairs(position, species, box, law: PairPotential):
    """Energy, force [n, 3] and virial of one configuration, over all pairs in float64."""
    i, j = np.triu_indices(len(position), 1)
    d = position[i] - position[j]
    d -= box * np.rint(d / box)
    r = np.sqrt((d**2).sum(axis=1))
    strength = law.force(r, species[i], species[j])
    force = np.zeros_like(position)
    np.add.at(force, i, (strength / r)[:, None] * d)
    np.add.at(force, j, -(strength / r)[:, None] * d)
    return law.energy(r, species[i], species[j]).sum(), force, (strength * r).sum()
