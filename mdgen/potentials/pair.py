"""Pair interactions between species: what a law is, and what every registered function returns.

Units: those of the arrays given; Lennard-Jones units in the registered laws.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from types import MappingProxyType, SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from runkit.arrays import F64, Floats
from runkit.errors import UserError
from runkit.formula import Value
from runkit.formula.derivative import with_slope
from runkit.formula.refusal import refused, require_value, symbols

LEAST, MOST = 1e-20, 1e5  # of a parameter: their 12th powers are numbers in any arithmetic of float64

Pair: TypeAlias = SimpleNamespace  # the columns of a pair of species, by the names that the law gives them


class PairLaw(ABC):
    """A law U(r): a frozen dataclass of the numbers that stand in its formulas, the same for all pairs of species.

    What differs between pairs of species are columns: `energy`, `force` and `virial` are formulas (`runkit.formula`) of
    `square` = r² and of the columns of the pair, as attributes of `pair`. They hold below the cutoff; beyond it kernels
    set zero. They are applied to arrays, to registers of the CPU, and to names in CUDA C.
    """

    @abstractmethod
    def columns(self, cutoff: F64, *_: Any, **parameters: Any) -> dict[str, F64]:
        """Columns by name, float64 [n_species, n_species], from the cutoff and parameters of pairs, of that shape too.

        Each law names its own parameters (for a type checker any signature that begins with the cutoff will do).
        """

    @abstractmethod
    def energy(self, square: Value, pair: Pair) -> Value:
        """U(r), which is zero at the cutoff."""

    @abstractmethod
    def force(self, square: Value, pair: Pair) -> Value:
        """-U'(r) / r, which times r_i - r_j is the force on i."""

    def virial(self, square: Value, pair: Pair) -> Value:
        """-r U'(r); a law may have another way to it, which is rounded otherwise."""
        return square * self.force(square, pair)

    def curvature(self, square: Value, pair: Pair) -> Value:
        """U''(r), the derivative of the formula of the force: with f = -U'/r, U'' = -(f + 2 r² df/d(r²))."""
        names = list(vars(pair))

        def force(square: Value, *columns: Value) -> Value:
            return self.force(square, Pair(**dict(zip(names, columns, strict=True))))

        strength, slope = with_slope(force, square, *vars(pair).values())
        return -(strength + 2.0 * square * slope)


@dataclass(frozen=True)
class PairPotential:
    """A law for particles of some species: `cutoff`, `parameters` and `columns`, all float64 [n_species, n_species],
    symmetric. Particles interact where r < cutoff."""

    law: PairLaw
    cutoff: F64
    parameters: Mapping[str, F64]
    columns: Mapping[str, F64]

    @classmethod
    def of(cls, law: PairLaw, cutoff: ArrayLike, **parameters: ArrayLike) -> PairPotential:
        """The potential of these matrices [n_species, n_species]; raises `UserError` if one is not acceptable."""
        _require_frozen(law)
        checked = {name: _matrix(name, values) for name, values in parameters.items()} | {
            "cutoff": _matrix("cutoff", cutoff)
        }
        with np.errstate(all="ignore"):
            columns = law.columns(**checked)
        _require_formulas(law, tuple(columns))
        for name, values in columns.items():
            if np.shape(values) != np.shape(cutoff):
                kind = type(law).__name__
                raise UserError(f"{kind}.columns: {name} has shape {np.shape(values)}; needed: {np.shape(cutoff)}")
            if not np.isfinite(values).all():
                given = ", ".join(f"{name} = {values.tolist()}" for name, values in checked.items())
                raise UserError(f"{given}: too large or too small, {name} of the law is not finite; use other units")
        return cls(law, checked.pop("cutoff"), MappingProxyType(checked), MappingProxyType(columns))

    @property
    def n_species(self) -> int:
        return len(self.cutoff)

    @property
    def largest_cutoff(self) -> float:
        return float(self.cutoff.max())

    def table(self, precision: str) -> Floats:
        """The law for kernels [n_species, n_species, 1 + n_columns]: cutoff², and its columns in their order.

        Raises `UserError` for what has no number in this precision.
        """
        table = np.stack([self.cutoff**2, *self.columns.values()], axis=-1)
        if np.abs(table).max() > np.finfo(precision).max:
            name = ("cutoff²", *self.columns)[int(np.abs(table).max(axis=(0, 1)).argmax())]
            raise UserError(f"{name} of the potential is too large for precision = {precision}; use other units")
        return table.astype(precision)

    def energy(self, r: ArrayLike, a: ArrayLike, b: ArrayLike) -> F64:
        """Energy of pairs of species `a` and `b` at distance `r`; arrays broadcast."""
        return self._within(self.law.energy, r, a, b)

    def force(self, r: ArrayLike, a: ArrayLike, b: ArrayLike) -> F64:
        """-dU/dr of pairs of species `a` and `b` at distance `r`, positive where they repel; arrays broadcast."""
        return np.asarray(r) * self._within(self.law.force, r, a, b)

    def virial(self, r: ArrayLike, a: ArrayLike, b: ArrayLike) -> F64:
        """-r dU/dr of pairs of species `a` and `b` at distance `r`; arrays broadcast."""
        return self._within(self.law.virial, r, a, b)

    def curvature(self, r: ArrayLike, a: ArrayLike, b: ArrayLike) -> F64:
        """d²U/dr² of pairs of species `a` and `b` at distance `r`; arrays broadcast."""
        return self._within(self.law.curvature, r, a, b)

    def _within(self, formula: Callable[[Value, Pair], Value], r: ArrayLike, a: ArrayLike, b: ArrayLike) -> F64:
        """A formula where r is below the cutoff, else zero."""
        which = np.asarray(a), np.asarray(b)
        pair = Pair(**{name: values[which] for name, values in self.columns.items()})
        return np.where(np.asarray(r) < self.cutoff[which], formula(np.square(r), pair), 0.0)


def _require_frozen(law: PairLaw) -> None:
    """Raise TypeError unless a law has a value of its own: compiled kernels are kept under what it is written as."""
    if not is_dataclass(law) or type(law).__hash__ is None:
        raise TypeError(f"{type(law).__name__}: a law is a frozen dataclass (@dataclass(frozen=True))")


@cache
def _require_formulas(law: PairLaw, columns: tuple[str, ...]) -> None:
    """Raise UserError if kernels cannot be made of a formula of the law, which has these columns."""
    for formula in (law.energy, law.force, law.virial, law.curvature):
        square, *values = symbols(1 + len(columns))
        with refused(f"{formula.__name__} of the pair law {type(law).__name__}", formula):
            require_value(formula(square, Pair(**dict(zip(columns, values, strict=True)))))


def mixture(law: PairLaw, epsilon: object, sigma: object, cutoff: object) -> PairPotential:
    """A law of two species from (AA, AB, BB), or one value, of each parameter; it ends at cutoff * sigma_ab."""
    strength, sigma_ab = symmetric(epsilon, "epsilon"), symmetric(sigma, "sigma")
    return PairPotential.of(law, symmetric(cutoff, "cutoff") * sigma_ab, epsilon=strength, sigma=sigma_ab)


def symmetric(values: object, name: str = "parameter") -> F64:
    """The matrix [[aa, ab], [ab, bb]] of three values (aa, ab, bb); one value stands for all."""
    flat = np.atleast_1d(np.asarray(values, dtype=float)).ravel()
    if len(flat) not in (1, 3):
        raise UserError(f"system.parameters.{name} = {values}: give three values (AA, AB, BB) or one for all")
    aa, ab, bb = flat if len(flat) == 3 else np.repeat(flat, 3)
    return np.array([[aa, ab], [ab, bb]])


def _matrix(name: str, values: ArrayLike) -> F64:
    matrix = np.array(values, dtype=np.float64)
    if matrix.ndim != 2 or not np.array_equal(matrix, matrix.T, equal_nan=True):
        raise UserError(f"{name} = {matrix.tolist()}: a symmetric matrix [species, species] is needed")
    if not np.all((matrix >= LEAST) & (matrix <= MOST)):
        raise UserError(f"{name} = {matrix.tolist()}: every entry must be positive, from {LEAST:g} to {MOST:g}")
    matrix.setflags(write=False)
    return matrix
