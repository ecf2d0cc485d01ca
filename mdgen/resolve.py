"""The configuration of a run, resolved and checked: potential, given configurations, and the sizes of the file."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mdgen.config import Initial, RunConfig, System
from mdgen.formats import load
from mdgen.formats.independence import require_distinct
from mdgen.initial import Configuration
from mdgen.potentials import potential as registry
from mdgen.potentials.pair import PairPotential
from mdgen.thermostats import require_formulas, thermostat
from runkit.errors import UserError
from runkit.rng import stream

# Keys of [initial] that count for melts alone, and for files alone.
MELTED = ("temperature", "melt_time", "cooling_time", "hold_time", "thermostat", "relaxation_time")
READ = ("species", "frames")


def potential_of(config: RunConfig) -> PairPotential:
    """The interaction that `config` names; raises `UserError` if the rest of it does not fit, or its thermostat."""
    require_used(config.initial)
    require_thermostat(config)
    system = config.system
    law = registry.build(system.potential, **system.parameters)
    is_open = bool(config.initial.file) and "composition" not in system.model_fields_set  # the files have it
    if len(system.composition) != law.n_species and not is_open:
        raise UserError(
            f"system.composition = {list(system.composition)}: potential {system.potential!r} has {law.n_species} "
            "species; one fraction for each is needed"
        )
    edge = _edge(system.n_particles, system.density)
    if not config.initial.file and edge < 2 * law.largest_cutoff:
        least = math.ceil(system.density * (2 * law.largest_cutoff) ** 3)
        least += _edge(least, system.density) < 2 * law.largest_cutoff  # by rounding
        raise UserError(
            f"system.n_particles = {system.n_particles}: the box edge {edge:.4g} is less than twice the cutoff "
            f"{law.largest_cutoff:g}; allowed: {least} or more at this density"
        )
    return law


def require_thermostat(config: RunConfig) -> None:
    """Raise `UserError` for an unknown thermostat, one that must be slower for this time step, or wrong formulas."""
    initial, dt = config.initial, config.integrator.dt
    least = thermostat.get(initial.thermostat).least_steps * dt
    if initial.relaxation_time < least and not initial.file:
        raise UserError(
            f"initial.relaxation_time = {initial.relaxation_time:g}; allowed with thermostat {initial.thermostat!r} "
            f"and integrator.dt = {dt:g}: {least:g} or more"
        )
    require_formulas(
        thermostat.build(
            initial.thermostat,
            temperature=initial.temperature,
            relaxation_time=initial.relaxation_time,
            dt=dt,
            degrees_of_freedom=3,
            streams=[stream(config.seed)],
        )
    )


def given_configurations(config: RunConfig, potential: PairPotential) -> list[Configuration]:
    """The configurations of `initial.file`, at most `production.n_samples` of them; [] for a melt.

    Raises `UserError` for a file that cannot be read, a configuration that `potential` cannot handle, or one that
    contradicts what `system` sets.
    """
    if not config.initial.file:
        return []
    initial, system = config.initial, config.system
    density = system.density if "density" in system.model_fields_set else None
    given = load(initial.file, density, initial.species, initial.frames, config.production.n_samples)
    require_distinct(given)
    for configuration in given:
        configuration.require(potential)
        require_as_set(system, configuration)
    return given


def require_as_set(system: System, given: Configuration) -> None:
    """Raise `UserError` if a key of `system` that the user has set contradicts a configuration."""
    n_particles, density = len(given.species), len(given.species) / float(np.prod(given.box))
    fractions = np.bincount(given.species, minlength=len(system.composition)) / n_particles
    away = np.abs(fractions - np.array(system.composition)).max() if len(fractions) == len(system.composition) else 1
    known = given.temperature
    for key, agrees, found in (
        ("n_particles", system.n_particles == n_particles, n_particles),
        ("density", math.isclose(system.density, density, rel_tol=1e-3), f"{density:.6g}"),
        ("composition", away <= 1 / n_particles + 1e-9, [round(one, 6) for one in fractions.tolist()]),
        ("temperature", known is None or math.isclose(system.temperature, known, rel_tol=1e-6), f"{known or 0:g}"),
    ):
        if key in system.model_fields_set and not agrees:
            value = getattr(system, key)
            raise UserError(
                f"system.{key} = {list(value) if isinstance(value, tuple) else value}: {given.source} has {found}; "
                f"leave system.{key} out, or set it to that"
            )


def require_used(initial: Initial) -> None:
    """Raise `UserError` for a key of [initial] that the user has set, to no effect, beside files or without them.

    A key that is set to its default contradicts nothing: `show` prints all of them.
    """
    unused = MELTED if initial.file else READ
    for key in unused:
        value = getattr(initial, key)
        if key in initial.model_fields_set and value != type(initial).model_fields[key].default:
            why = (
                "taken as they are, neither cooled nor held" if initial.file else "cooled from a melt: no initial.file"
            )
            value = list(value) if isinstance(value, tuple) else value
            raise UserError(f"initial.{key} = {value!r}: samples are {why}; leave it out")


def taken_as_given(config: RunConfig, given: Sequence[Configuration]) -> str:
    """What becomes of given configurations, in words."""
    message = f"{len(given)} given configuration(s), taken as they are: neither cooled nor held"
    silent = [one.source for one in given if one.temperature is None]
    if "temperature" in config.system.model_fields_set or not silent:
        return message
    which = "the files do not say their" if len(silent) == len(given) else f"{silent[0]} does not say its"
    return f"{message}; {which} temperature: system.temperature = {_temperature(config, given):g} is taken"


def resolved(config: RunConfig, given: Sequence[Configuration]) -> RunConfig:
    """The configuration with `system` as the files have it; raises `UserError` if the rest does not fit them."""
    require_bonds_that_fit(config, given)
    if not given:
        return config
    n_particles = len(given[0].position)
    law = registry.build(config.system.potential, **config.system.parameters)
    counts = np.bincount(given[0].species, minlength=law.n_species)
    system = {
        "n_particles": n_particles,
        "density": n_particles / float(np.prod(given[0].box)),
        "composition": tuple((counts / n_particles).tolist()),
        "temperature": _temperature(config, given),
    }
    return config.model_copy(update={"system": config.system.model_copy(update=system)})


def _temperature(config: RunConfig, given: Sequence[Configuration]) -> float:
    """The one temperature that is set, or that the configurations were made at."""
    if "temperature" in config.system.model_fields_set:
        return config.system.temperature
    known = {one.temperature: one.source for one in given if one.temperature is not None}
    if len(known) > 1:
        (a, source_a), (b, source_b), *_ = known.items()
        raise UserError(f"{source_a} was made at T = {a:g}, {source_b} at {b:g}; all samples of a run need the same")
    return next(iter(known), config.system.temperature)


def require_bonds_that_fit(config: RunConfig, given: Sequence[Configuration]) -> None:
    """Raise `UserError` if bonds are longer than half an edge of a box: a pair would have two nearest images."""
    cube = _edge(config.system.n_particles, config.system.density)
    longest = min((float(np.min(start.box)) for start in given), default=cube) / 2
    bond = config.label.bond_cutoff
    if bond > longest:
        raise UserError(f"label.bond_cutoff = {bond:g}; allowed: up to {longest:.4g}, half the box edge")


def dimensions(config: RunConfig, potential: PairPotential, given: Sequence[Configuration]) -> dict[str, int]:
    """Lengths of the dimensions of the file."""
    n_particles = len(given[0].position) if given else config.system.n_particles
    density = n_particles / smallest_volume(config, given)
    most = n_particles * (n_particles - 1) // 2
    uniform = n_particles / 2 * density * 4 / 3 * math.pi * config.label.bond_cutoff**3
    return {
        "sample": len(given) or config.production.n_samples,
        "time": len(config.production.times),
        "replica": config.production.n_replicas,
        "particle": n_particles,
        "species": potential.n_species,
        "bond": min(math.ceil(config.label.bond_capacity * uniform) + n_particles, most),
    }


def _edge(n_particles: int, density: float) -> float:
    return float((n_particles / density) ** (1 / 3))


def smallest_volume(config: RunConfig, given: Sequence[Configuration]) -> float:
    boxes = [float(np.prod(start.box)) for start in given]
    return min(boxes, default=config.system.n_particles / config.system.density)
