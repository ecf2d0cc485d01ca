"""Registry of thermostats: one file, one name; `Thermostat` is the protocol of one.

Each replica has its own state; replicas share only arithmetic.
Units: Lennard-Jones (k_B = 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol, TypeAlias

import numpy as np

from runkit.arrays import F64, Array
from runkit.formula import FormulaError, Value
from runkit.formula.refusal import refused, require_value, require_values, symbols
from runkit.registry import ClassRegistry

Values: TypeAlias = Sequence[Value] | F64
Formula: TypeAlias = Callable[[Value, Values, Values, Sequence[Value]], tuple[Value, Sequence[Value]]]
"""`formula(kinetic, value, number, constant)` -> factor of the velocities, new values.

From the kinetic energy of the whole system at that moment, the thermostat's own values, random numbers and constants.
It is applied to NumPy arrays over replicas, and to symbols when a kernel for a GPU is made of it. It uses + - * /,
`np.sqrt` and `np.copysign` alone, which all machines round alike.
"""


class Thermostat(Protocol):
    """A thermostat of R replicas that move by velocity Verlet; temperature and step may be set."""

    least_steps: ClassVar[int]
    """The shortest relaxation time that it can follow, in steps."""

    temperature: float
    dt: float
    value: F64
    """Its own values [n_values, n_replicas]."""

    def __init__(
        self,
        temperature: float,
        relaxation_time: float,
        dt: float,
        degrees_of_freedom: int,
        streams: Sequence[np.random.Generator],
    ) -> None:
        """One random stream per replica; with the total momentum at rest, degrees of freedom are 3 n_particles - 3."""

    @property
    def before(self) -> Formula | None:
        """For the factor of the velocities before a step."""

    @property
    def after(self) -> Formula | None:
        """For the factor of the velocities after a step."""

    @property
    def constants(self) -> Sequence[float]:
        """Those of the formulas, for the present temperature and step."""

    @property
    def energy(self) -> F64:
        """What to add to potential and kinetic energy to have a conserved quantity [n_replicas]."""

    def draw(self, n_steps: int) -> F64:
        """The random numbers of the steps that come next [n_steps, n_numbers, n_replicas]."""

    def state(self) -> dict[str, Array]:
        """Arrays [n_replicas, …] from which a run goes on bit for bit."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state` gave."""


def require_formulas(thermostat: Thermostat) -> None:
    """Raise UserError if kernels cannot be made of a formula of the thermostat."""
    n_numbers, n_values = thermostat.draw(0).shape[1], len(thermostat.value)
    for name in ("before", "after"):
        formula = getattr(thermostat, name)
        if formula is None:
            continue
        given = symbols(n_values), symbols(n_numbers), symbols(len(thermostat.constants))
        with refused(f"{name} of the thermostat {type(thermostat).__name__}", formula):
            results = formula(*symbols(1), *given)
            if not isinstance(results, tuple) or len(results) != 2:
                raise FormulaError("gives no pair; needed: the factor of the velocities, and the new values")
            require_value(results[0])
            require_values(results[1], n_values)


_SUPPLIED = "temperature", "relaxation_time", "dt", "degrees_of_freedom", "streams"
thermostat: ClassRegistry[Thermostat] = ClassRegistry("thermostat", "mdgen.thermostats", _SUPPLIED)
