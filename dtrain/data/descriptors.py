"""Descriptors of structure that predict where particles will move: invariant numbers per particle, averaged around it.

Of the inherent structure: energy, virial, curvature, local stress and stiffness (`mdgen.fields`), by species of the
neighbour; radial densities; and the step from the thermal to the inherent position. Of the liquid as it is: forces, and
where particles go from rest (`dtrain.data.thermal`). Of a short simulation, if asked for: how far particles rattle, the
steps to their mean positions, and radial densities there (`dtrain.data.cage`). Each number is taken once for each
species, zero for the others, so that averages over a neighbourhood are of one species. Averages are in generations:
each is the mean of the one before over the particle (weight 1) and its neighbours (weight exp(-r / range)).

Source: averaging in generations, E. Boattini, F. Smallenburg and L. Filion, Phys. Rev. Lett. 127, 088007 (2021),
doi:10.1103/PhysRevLett.127.088007; mechanical numbers, G. Jung, G. Biroli and L. Berthier, Phys. Rev. Lett. 130, 238202
(2023), doi:10.1103/PhysRevLett.130.238202, who use energies and their variance.
Units: none; lengths in the formulas count mean distances (V / N)^(1/3), so that a density of any units is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_matrix

from dtrain.data.cage import LENGTHS, SPREADS, Cage
from dtrain.data.pairs import minimum_image, near_pairs, pair_vectors
from dtrain.data.thermal import N_THERMAL, kept_numbers
from runkit.arguments import as_array, numbers, whole
from runkit.arrays import F64, Floats, Ints
from runkit.errors import UserError

FIRST_SHELL = 1.6  # neighbours that are counted, and whose steps are compared
MECHANICAL_RANGES = ((1.4, 4), (2.2, 5))  # range and number of generations
STEP_RANGES, THERMAL_RANGES, RADIAL_RANGES, CAGE_RANGES = ((1.8, 4),), ((1.8, 4),), ((2.2, 4),), ((1.8, 4),)
RADII = np.linspace(0.9, 3.2, 22)  # of radial densities
FARTHEST_RADIUS = RADII[-1] + 2 * (RADII[1] - RADII[0])  # beyond it a radial density counts nothing
# Spread of a group's columns. A linear model whose weights are held small trusts a group less that is small.
STEP_SCALE, THERMAL_SCALE, RADIAL_SCALE = 0.1, 0.05, 0.06
SPREAD_SCALE, LENGTH_SCALE, CAGE_RADIAL_SCALE = 1.0, 0.2, 0.3
LONGEST, FARTHEST = 1e5, 2**20  # edge of a box; edges from the origin
SOFTEST = 0.01  # of the mean: smaller eigenvalues of the stiffness count as this


Ranges: TypeAlias = Sequence[tuple[float, int]]
Group: TypeAlias = tuple[F64, float, Ranges]  # values [n, m], the spread of their columns, and how they are averaged


class Pairs(NamedTuple):
    """Ordered pairs: first and second index, vectors from first to second [n, 3], and their lengths."""

    first: Ints
    second: Ints
    vector: F64
    distance: F64

    def within(self, reach: float) -> Pairs:
        """Those nearer than `reach`."""
        near = self.distance < reach
        return Pairs(self.first[near], self.second[near], self.vector[near], self.distance[near])


def descriptors(
    position: Floats,
    species: Ints,
    box: Floats,
    thermal: Floats | None = None,
    cage: Cage | None = None,
    *,
    potential: str = "kob-andersen",
    parameters: Mapping[str, Any] | None = None,
    n_species: int | None = None,
) -> F64:
    """Descriptors [n_particles, n_descriptors] of an inherent structure `position` [n, 3] of `species` [n].

    With the `thermal` positions that it was found from, there are those of the step between them and of the liquid too,
    and with the `cage` that `dtrain.cages` gives for these, those of a short simulation. Columns have a spread of 1
    over the configuration, or that of a group that is trusted less, and a mean of zero over each species. The last, the
    inherent energy per particle, is the same for all: no other tells fast configurations from slow ones. `potential`,
    `parameters`: those of `mdgen`. Raises UserError for what is no configuration of them.
    """
    position, species, box = _configuration(position, species, box)
    n_species = _n_species(n_species, int(species.max()) + 1)
    unit = float((box.prod() / len(position)) ** (1 / 3))
    shell = (pairs := _pairs_around(position, box, unit)).within(FIRST_SHELL * unit)
    held, energy = _mechanical(position, species, box, shell, potential, parameters, n_species)
    groups: list[Group] = [(held, 1.0, MECHANICAL_RANGES)]
    radial: list[Group] = [(_radial(pairs, species, n_species, unit), RADIAL_SCALE, RADIAL_RANGES)]
    if thermal is not None:
        before = _of_shape("thermal", thermal, position)
        as_it_is = kept_numbers(before, species, box, potential, parameters)
        step = _step(position - before, box, shell)
        groups += [(step, STEP_SCALE, STEP_RANGES), (as_it_is, THERMAL_SCALE, THERMAL_RANGES)]
    if cage is not None:
        middle = _of_shape("thermal", thermal, position) + _checked(cage, len(position)).mean
        (rattling, *others), around = _of_cage(cage, middle, position, box, unit)
        groups = [rattling, *groups, *others]  # what tells of bonds too comes first
        radial.append((_radial(around, species, n_species, unit), CAGE_RADIAL_SCALE, CAGE_RANGES))
    each = [(_masked(_standardised(values), species, n_species), scale, ranges) for values, scale, ranges in groups]
    each += [(_standardised(values), scale, ranges) for values, scale, ranges in radial]
    columns = [scale * _standardised(_generations(values, pairs, ranges, unit)) for values, scale, ranges in each]
    return np.column_stack([_centred(np.concatenate(columns, axis=1), species), np.full(len(position), energy)])


def _configuration(position: ArrayLike, species: ArrayLike, box: ArrayLike) -> tuple[F64, Ints, F64]:
    """What was given as one; UserError if it is none."""
    places, kinds, edges = _particles("position", position), as_array("species", species), _edges(box)
    if kinds.dtype.kind not in "iu" or kinds.shape != places.shape[:1] or kinds.min() < 0:
        raise UserError(f"species: whole numbers from 0, one for each of {len(places)} particles, are needed")
    if (np.abs(places) > FARTHEST * edges).any():
        raise UserError(f"position: a particle is more than {FARTHEST} edges from the origin: its digits are lost")
    return places, kinds, edges


def _particles(name: str, values: ArrayLike) -> F64:
    """Positions [n, 3], finite."""
    found = numbers(name, values, "numbers [n, 3]")
    if found.ndim != 2 or found.shape[1] != 3 or len(found) < 2 or not np.isfinite(found).all():
        raise UserError(f"{name}: finite numbers [n, 3], n > 1, are needed, not shape {found.shape}")
    return found


def _n_species(given: int | None, least: int) -> int:
    return least if given is None else whole("n_species", given, least, 128)


def _of_shape(name: str, values: Floats | None, position: F64) -> F64:
    """Positions of the shape of others; UserError where they are missing or have another."""
    if values is None:
        raise UserError(f"{name}: the positions that cages belong to are needed")
    found = _particles(name, values)
    if found.shape != position.shape:
        raise UserError(f"{name}: shape {position.shape}, that of position, is needed, not {found.shape}")
    return found


def _edges(box: ArrayLike) -> F64:
    """The edges of a box [3]."""
    found = numbers("box", box)
    found = np.full(3, float(found)) if found.ndim == 0 else found
    if found.shape != (3,) or not ((found > 0) & (found <= LONGEST)).all():
        raise UserError(f"box = {found.tolist()}: three positive edges, or one, up to {LONGEST:g}, are needed")
    return found


def _checked(cage: Cage, n_particles: int) -> Cage:
    """A cage of so many particles; UserError if it is none."""
    shapes = [np.shape(values) for values in cage]
    wanted = [(n_particles, width) for width in (3, SPREADS, LENGTHS)]
    if shapes != wanted or not all(np.isfinite(values).all() for values in cage):
        raise UserError(f"cage: finite numbers of the shapes {wanted} are needed, not {shapes}")
    return cage


def n_leading(n_species: int, has_cage: bool = False) -> int:
    """How many columns come first: how far particles rattle, and what is mechanical and averaged over the nearest."""
    rattling = _n_masked(n_species, SPREADS) * _n_generations(CAGE_RANGES) if has_cage else 0
    return rattling + _n_masked(n_species, 4 * n_species + 12) * (1 + MECHANICAL_RANGES[0][1])


def n_descriptors(n_species: int, has_cage: bool = False) -> int:
    """How many columns there are, with those of thermal positions, and with those of cages."""
    mechanical = _n_masked(n_species, 4 * n_species + 12) * _n_generations(MECHANICAL_RANGES)
    step = _n_masked(n_species, 6) * _n_generations(STEP_RANGES)
    thermal = _n_masked(n_species, N_THERMAL) * _n_generations(THERMAL_RANGES)
    radial = n_species * len(RADII) * _n_generations(RADIAL_RANGES)
    return mechanical + step + thermal + radial + 1 + (_n_of_cage(n_species) if has_cage else 0)


def _n_of_cage(n_species: int) -> int:
    n_masked = sum(_n_masked(n_species, width) for width in (SPREADS, LENGTHS, 6, 6))
    return (n_masked + n_species * len(RADII)) * _n_generations(CAGE_RANGES)


def _n_masked(n_species: int, n_values: int) -> int:
    return n_species - 1 + n_species * n_values


def _n_generations(ranges: Ranges) -> int:
    return 1 + sum(number for _, number in ranges)


def _mechanical(
    position: F64,
    species: Ints,
    box: F64,
    shell: Pairs,
    potential: str,
    parameters: Mapping[str, Any] | None,
    n_species: int,
) -> tuple[F64, float]:
    """Energy, virial and curvature by species of the neighbour, and what else holds a particle [n, 4 n_species + 12];
    the energy per particle.

    Logarithms of sums of squares, the spread of energy and virial, shear stress, softness, numbers of neighbours, and
    the stiffness along its axes.
    """
    from mdgen.api import mechanics  # loads a compiler, which no program needs that does without descriptors

    found = mechanics(position, species, box, potential, parameters)
    eigenvalues = np.linalg.eigvalsh(found.stiffness)
    stiff = np.maximum(eigenvalues, SOFTEST * np.abs(eigenvalues).mean() or 1.0)
    deviator = found.stress - np.trace(found.stress, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    energy, virial = np.sqrt(found.square_energy), np.sqrt(found.square_virial)
    alone = [
        *(np.log(values + (1e-9 * values.mean() or 1.0)) for values in (found.square_repulsion, found.square_energy)),
        *(energy, virial, np.linalg.norm(deviator, axis=(1, 2)), (1 / stiff).sum(axis=1)),
    ]
    counts = [
        np.bincount(shell.first[species[shell.second] == one], minlength=len(species)) for one in range(n_species)
    ]
    by_species = [values[:, :n_species] for values in (found.energy, found.virial, found.curvature)]
    every = np.concatenate([*by_species, np.stack(alone + counts, axis=1), eigenvalues, np.log(stiff)], axis=1)
    return every, float(found.energy.sum() / len(species))


def _step(step: F64, box: F64, shell: Pairs) -> F64:
    """Length of the step, its square, and means over neighbours of relative steps: along, its square, across, both."""
    step = minimum_image(step, box)
    n_particles, length = len(step), np.linalg.norm(step, axis=1)
    relative = step[shell.second] - step[shell.first]
    along = (relative * shell.vector).sum(axis=1) / shell.distance
    square = (relative**2).sum(axis=1)
    number = np.maximum(np.bincount(shell.first, minlength=n_particles), 1)
    means = [
        np.bincount(shell.first, weights=values, minlength=n_particles) / number
        for values in (along, along**2, square - along**2, square)
    ]
    return np.stack([length, length**2, *means], axis=1)


def _of_cage(cage: Cage, middle: F64, inherent: F64, box: F64, unit: float) -> tuple[list[Group], Pairs]:
    """How far particles rattle, how far they go, and the steps to their mean positions (`middle`), from inherent and
    from thermal ones; the pairs around mean positions.
    """
    around = _pairs_around(middle, box, unit)
    shell = around.within(FIRST_SHELL * unit)
    steps = [(_step(step, box, shell), STEP_SCALE, CAGE_RANGES) for step in (middle - inherent, cage.mean)]
    return [(cage.spread, SPREAD_SCALE, CAGE_RANGES), (cage.length, LENGTH_SCALE, CAGE_RANGES), *steps], around


def _radial(pairs: Pairs, species: Ints, n_species: int, unit: float) -> F64:
    """Neighbours of each species in shells [n, n_species * n_radii]: a pair is shared between the nearest radii."""
    n_particles, n_radii = len(species), len(RADII)
    place = (pairs.distance / unit - RADII[0]) / (RADII[1] - RADII[0])
    low = np.floor(place).astype(np.int64)
    row = (pairs.first * n_species + species[pairs.second]) * (n_radii + 2)
    density = np.zeros(n_particles * n_species * (n_radii + 2))
    for shell, weight in ((low, 1 - (place - low)), (low + 1, place - low)):
        inside = (shell >= -1) & (shell <= n_radii)
        density += np.bincount(row[inside] + shell[inside] + 1, weights=weight[inside], minlength=len(density))
    shells = density.reshape(n_particles, n_species, n_radii + 2)
    smooth: F64 = 0.25 * shells[..., :-2] + 0.5 * shells[..., 1:-1] + 0.25 * shells[..., 2:]
    return smooth.reshape(n_particles, -1)


def _generations(values: F64, pairs: Pairs, ranges: Ranges, unit: float) -> F64:
    """The values [n, m] and their averages over neighbourhoods, one generation after the other."""
    layers = [values]
    for reach, number in ranges:
        near = pairs.within(reach * unit)
        weight = csr_matrix(
            (np.exp(-near.distance / (reach * unit)), (near.first, near.second)), shape=(len(values), len(values))
        )
        total = 1.0 + np.asarray(weight.sum(axis=1)).reshape(-1, 1)
        average = values
        for _ in range(number):
            average = (average + weight @ average) / total
            layers.append(average)
    return np.concatenate(layers, axis=1)


def _masked(values: F64, species: Ints, n_species: int) -> F64:
    """Who is of each species but the last, and the values of one species at a time, zero for all others."""
    members = [(species == one).astype(np.float64)[:, None] for one in range(n_species)]
    return np.concatenate([*members[:-1], *(values * member for member in members)], axis=1)


def _standardised(values: F64) -> F64:
    """Columns with mean 0 and spread 1; one that does not vary is zero."""
    centred, spread = values - values.mean(axis=0), values.std(axis=0)
    varies = spread > 1e-9 * (1 + np.abs(values).max(axis=0))
    found: F64 = centred * np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)
    return found


def _centred(values: F64, species: Ints) -> F64:
    for one in np.unique(species):
        values[species == one] -= values[species == one].mean(axis=0)
    return values


def _pairs_around(position: F64, box: F64, unit: float) -> Pairs:
    """All ordered pairs that a descriptor looks at, in a fixed order."""
    pair = near_pairs(position, box, min(FARTHEST_RADIUS * unit, 0.5 * float(box.min())))
    vector = pair_vectors(position, pair, box)
    first, second = np.concatenate([pair, pair[:, ::-1]]).T
    return Pairs(first, second, np.concatenate([vector, -vector]), np.tile(np.linalg.norm(vector, axis=1), 2))
