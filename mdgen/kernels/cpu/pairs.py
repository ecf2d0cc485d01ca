"""Forces and energies over a neighbour list, in one order of summation whatever the lanes hold.

The force on a particle is one running sum over its neighbours in ascending order, each term added by a fused
multiply-add. With replicas as lanes a pair is visited once, in the cluster of its lower particle, which starts from
what lower clusters have left there; with particles as lanes each cluster visits all its neighbours. Both give the same
bits, and listed pairs out of range add exactly zero. Energies are float64 sums over clusters of sums over higher
neighbours.

The formulas of the pair law stand in the loops (`runkit.formula`). Columns of the table of pairs: cutoff², then those
of the law.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mdgen.kernels.cpu.clusters import displacement, load_position, set_cluster_table, slot_of, store_cluster
from mdgen.potentials.pair import Pair, PairLaw
from runkit.formula.compiled import inlined
from runkit.simd.comparisons import where_below, where_unequal
from runkit.simd.compiled import kernel
from runkit.simd.lanes import LANES, element, fma, load, load_splat, loader, negative, splat, store, zeros
from runkit.simd.parts import helper

POTENTIALS = Path(__file__).parents[2] / "potentials"  # where laws of this package, and what they share, lie


class Formulas(NamedTuple):
    """The formulas of a law for kernels, called with (r², *columns), how many columns there are, and what compiled
    kernels are kept under (see `runkit.simd.compiled`): the law in words, and the classes that it is made of."""

    force: Callable[..., Any]
    energy: Callable[..., Any]
    virial: Callable[..., Any]
    curvature: Callable[..., Any]
    n_columns: int
    variant: str
    parts: tuple[type, ...]

    @classmethod
    def of(cls, law: PairLaw, columns: tuple[str, ...]) -> Formulas:
        """Those of a law with these columns."""
        force, energy, virial, curvature = (
            _of_pair(formula, columns) for formula in (law.force, law.energy, law.virial, law.curvature)
        )
        parts = tuple(one for one in type(law).__mro__ if issubclass(one, PairLaw))
        return cls(force, energy, virial, curvature, len(columns), f"{law} {columns}", parts)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A kernel that holds these formulas."""
        return kernel(function, self.variant, (POTENTIALS,), self.parts)


def _of_pair(formula: Callable[..., Any], columns: tuple[str, ...]) -> Callable[..., Any]:
    return inlined(lambda square, *values: formula(square, Pair(**dict(zip(columns, values, strict=True)))))


def make_forces(formulas: Formulas) -> Callable[..., Any]:
    """The kernel forces(replicas, place, force, clusters, pairs, law): it writes the force on every particle."""
    strength_of, columns_at, stride = formulas.force, loader(formulas.n_columns), (1 + formulas.n_columns) * LANES

    @helper
    def work(replicas, place, force, clusters, pairs, law):
        zero = zeros(law.table)
        scale_x, scale_y, scale_z = load_splat(law.scale, 0), load_splat(law.scale, 1), load_splat(law.scale, 2)
        cluster_table = _cluster_table(law.table, stride)
        # With replicas a pair adds to the neighbour too, before that one's own cluster comes: so all start at zero.
        if replicas:
            force[:] = 0
        for cluster in range(pairs.start.size - 1):
            at = cluster * LANES
            set_cluster_table(replicas, law.table, clusters, at, cluster_table)
            x, y, z = load_position(replicas, place, clusters, at)
            particle = load(clusters.particle, at)
            force_x, force_y, force_z = zero, zero, zero
            if replicas:
                force_x, force_y, force_z = load_position(replicas, force, clusters, at)
            for k in range(pairs.start[cluster], pairs.start[cluster + 1]):
                j = element(pairs.entry, k)
                slot = slot_of(replicas, j)
                pair = element(law.species, j) * stride
                dx, dy, dz, square = displacement(replicas, place, slot, x, y, z, scale_x, scale_y, scale_z)
                given = (square,) + columns_at(cluster_table, pair + LANES)  # noqa: RUF005  # no star in Numba
                strength = strength_of(given)
                # The formula is computed in every lane, and what is out of range is set to zero afterwards: lanes
                # differ in this, and adding zero leaves no trace, so that a list may hold more than it must.
                strength = where_below(strength, square, load(cluster_table, pair))
                if replicas:
                    store(force, slot, fma(negative(strength), dx, load(force, slot)))
                    store(force, slot + LANES, fma(negative(strength), dy, load(force, slot + LANES)))
                    store(force, slot + 2 * LANES, fma(negative(strength), dz, load(force, slot + 2 * LANES)))
                else:
                    # A cluster neighbours its own particles: at distance zero a formula may give no number.
                    strength = where_unequal(strength, particle, splat(j))
                force_x = fma(strength, dx, force_x)
                force_y = fma(strength, dy, force_y)
                force_z = fma(strength, dz, force_z)
            store_cluster(replicas, force, clusters, at, 0, force_x)
            store_cluster(replicas, force, clusters, at, 1, force_y)
            store_cluster(replicas, force, clusters, at, 2, force_z)

    def forces(replicas, place, force, clusters, pairs, law):
        # A constant argument: each is compiled by itself, with one kind of lanes and no branch within the loops.
        if replicas:
            work(True, place, force, clusters, pairs, law)
        else:
            work(False, place, force, clusters, pairs, law)

    return formulas.compiled(forces)


def make_energies(formulas: Formulas) -> Callable[..., Any]:
    """The kernel energies(replicas, place, energy, virial, clusters, pairs, law): it writes energy and r.F of every
    particle's pairs with higher ones into the x component of two blocks."""
    energy_of, virial_of = formulas.energy, formulas.virial
    columns_at, stride = loader(formulas.n_columns), (1 + formulas.n_columns) * LANES

    def energies(replicas, place, energy, virial, clusters, pairs, law):
        zero = zeros(law.table)
        scale_x, scale_y, scale_z = load_splat(law.scale, 0), load_splat(law.scale, 1), load_splat(law.scale, 2)
        cluster_table = _cluster_table(law.table, stride)
        for cluster in range(pairs.start.size - 1):
            at = cluster * LANES
            set_cluster_table(replicas, law.table, clusters, at, cluster_table)
            x, y, z = load_position(replicas, place, clusters, at)
            particle = load(clusters.particle, at)
            cluster_energy, cluster_virial = zero, zero
            for k in range(pairs.start[cluster], pairs.start[cluster + 1]):
                j = element(pairs.entry, k)
                slot = slot_of(replicas, j)
                pair = element(law.species, j) * stride
                _, _, _, square = displacement(replicas, place, slot, x, y, z, scale_x, scale_y, scale_z)
                reach = load(cluster_table, pair)
                given = (square,) + columns_at(cluster_table, pair + LANES)  # noqa: RUF005
                value, work = energy_of(given), virial_of(given)
                # With particles as lanes the list has a pair twice, once for each of its two particles.
                if not replicas:
                    value, work = where_below(value, particle, splat(j)), where_below(work, particle, splat(j))
                cluster_energy = cluster_energy + where_below(value, square, reach)
                cluster_virial = cluster_virial + where_below(work, square, reach)
            store_cluster(replicas, energy, clusters, at, 0, cluster_energy)
            store_cluster(replicas, virial, clusters, at, 0, cluster_virial)

    return formulas.compiled(energies)


@helper
def _cluster_table(table, stride):
    """Memory for the rows of a table for LANES species."""
    # The table has a row for each pair of species: their number is the root of that of its rows.
    return np.empty(int(np.sqrt(table.size // (stride // LANES))) * stride, table.dtype)
