"""Forces and energies over a neighbour list, in one order of summation whatever the lanes hold.

The force on a particle is one running sum over its neighbours in ascending order, each term added by a fused
multiply-add. With replicas as lanes a pair is visited once, in the row of its lower particle, which starts from what
lower rows have left there; with particles as lanes each row visits all its neighbours. Both give the same bits, and
listed pairs out of range add exactly zero. Energies are float64 sums over rows of sums over higher neighbours.

The formulas of the pair law stand in the loops (`runkit.formula`). Columns of the table of pairs: cutoff², then those
of the law.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from mdgen.kernels.cpu.rows import get_other, get_row, set_row, set_row_table, slot_of
from runkit.formula.compiled import inlined
from runkit.simd.compiled import helper, kernel
from runkit.simd.lanes import (
    LANES,
    element,
    fma,
    load,
    load_splat,
    loader,
    minimum_image,
    negative,
    splat,
    store,
    where_below,
    where_unequal,
    zeros,
)


class Formulas(NamedTuple):
    """The formulas of a law for kernels, called with (r², *columns), how many columns there are, and what compiled
    kernels are kept under: see `runkit.simd.compiled`."""

    force: Callable[..., Any]
    energy: Callable[..., Any]
    virial: Callable[..., Any]
    curvature: Callable[..., Any]
    n_columns: int
    variant: str
    folders: tuple

    @classmethod
    def of(cls, law: Any, columns: tuple[str, ...], folders: tuple) -> Formulas:
        """Those of a `PairLaw` with these columns, whose text lies in these folders."""
        formulas = (_of_pair(formula, columns) for formula in (law.force, law.energy, law.virial, law.curvature))
        return cls(*formulas, len(columns), f"{law} {columns}", folders)


def _of_pair(formula: Callable[..., Any], columns: tuple[str, ...]) -> Callable[..., Any]:
    return inlined(lambda square, *values: formula(square, SimpleNamespace(**dict(zip(columns, values, strict=True)))))


def make_forces(formulas: Formulas) -> Callable[..., Any]:
    """The kernel forces(replicas, place, force, rows, near, law): it writes the force on every particle."""
    strength_of, columns_at, stride = formulas.force, loader(formulas.n_columns), (1 + formulas.n_columns) * LANES

    @helper
    def work(replicas, place, force, rows, near, law):
        zero = zeros(law.table)
        scale_x, scale_y, scale_z = load_splat(law.scale, 0), load_splat(law.scale, 1), load_splat(law.scale, 2)
        row_table = _row_table(law.table, stride)
        if replicas:
            force[:] = 0
        for row in range(near.start.size - 1):
            at = row * LANES
            set_row_table(replicas, law.table, rows, at, row_table)
            x, y, z = (get_row(replicas, place, rows, at, 0), get_row(replicas, place, rows, at, 1),
                       get_row(replicas, place, rows, at, 2))
            particle = load(rows.particle, at)
            force_x, force_y, force_z = zero, zero, zero
            if replicas:
                force_x, force_y, force_z = (
                    get_row(replicas, force, rows, at, 0), get_row(replicas, force, rows, at, 1),
                    get_row(replicas, force, rows, at, 2))
            for k in range(near.start[row], near.start[row + 1]):
                j = element(near.entry, k)
                slot = slot_of(replicas, j)
                pair = element(law.species, j) * stride
                dx = minimum_image(x - get_other(replicas, place, slot, 0)) * scale_x
                dy = minimum_image(y - get_other(replicas, place, slot, 1)) * scale_y
                dz = minimum_image(z - get_other(replicas, place, slot, 2)) * scale_z
                square = fma(dx, dx, fma(dy, dy, dz * dz))
                given = (square,) + columns_at(row_table, pair + LANES)  # noqa: RUF005  # Numba knows no star here
                strength = strength_of(given)
                strength = where_below(strength, square, load(row_table, pair))
                if replicas:
                    store(force, slot, fma(negative(strength), dx, load(force, slot)))
                    store(force, slot + LANES, fma(negative(strength), dy, load(force, slot + LANES)))
                    store(force, slot + 2 * LANES, fma(negative(strength), dz, load(force, slot + 2 * LANES)))
                else:
                    strength = where_unequal(strength, particle, splat(j))
                force_x = fma(strength, dx, force_x)
                force_y = fma(strength, dy, force_y)
                force_z = fma(strength, dz, force_z)
            set_row(replicas, force, rows, at, 0, force_x)
            set_row(replicas, force, rows, at, 1, force_y)
            set_row(replicas, force, rows, at, 2, force_z)

    def forces(replicas, place, force, rows, near, law):
        if replicas:
            work(True, place, force, rows, near, law)
        else:
            work(False, place, force, rows, near, law)

    return kernel(forces, formulas.variant, formulas.folders)


def make_energies(formulas: Formulas) -> Callable[..., Any]:
    """The kernel energies(replicas, place, energy, virial, rows, near, law): it writes energy and r.F of every
    particle's pairs with higher ones into the x component of two blocks."""
    energy_of, virial_of = formulas.energy, formulas.virial
    columns_at, stride = loader(formulas.n_columns), (1 + formulas.n_columns) * LANES

    def energies(replicas, place, energy, virial, rows, near, law):
        zero = zeros(law.table)
        scale_x, scale_y, scale_z = load_splat(law.scale, 0), load_splat(law.scale, 1), load_splat(law.scale, 2)
        row_table = _row_table(law.table, stride)
        for row in range(near.start.size - 1):
            at = row * LANES
            set_row_table(replicas, law.table, rows, at, row_table)
            x, y, z = (get_row(replicas, place, rows, at, 0), get_row(replicas, place, rows, at, 1),
                       get_row(replicas, place, rows, at, 2))
            particle = load(rows.particle, at)
            row_energy, row_virial = zero, zero
            for k in range(near.start[row], near.start[row + 1]):
                j = element(near.entry, k)
                slot = slot_of(replicas, j)
                pair = element(law.species, j) * stride
                dx = minimum_image(x - get_other(replicas, place, slot, 0)) * scale_x
                dy = minimum_image(y - get_other(replicas, place, slot, 1)) * scale_y
                dz = minimum_image(z - get_other(replicas, place, slot, 2)) * scale_z
                square, reach = fma(dx, dx, fma(dy, dy, dz * dz)), load(row_table, pair)
                given = (square,) + columns_at(row_table, pair + LANES)  # noqa: RUF005
                value, work = energy_of(given), virial_of(given)
                if not replicas:
                    value, work = where_below(value, particle, splat(j)), where_below(work, particle, splat(j))
                row_energy = row_energy + where_below(value, square, reach)
                row_virial = row_virial + where_below(work, square, reach)
            set_row(replicas, energy, rows, at, 0, row_energy)
            set_row(replicas, virial, rows, at, 0, row_virial)

    return kernel(energies, formulas.variant, formulas.folders)


@helper
def _row_table(table, stride):
    """Room for the rows of a table for LANES species."""
    return np.empty(int(np.sqrt(table.size // (stride // LANES))) * stride, table.dtype)
