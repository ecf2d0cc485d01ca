"""What a run will do and cost, before it runs: shape of the file, shares of the ranks, memory and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mdgen import equilibration, production
from mdgen.config import FREE_KEYS, Initial, RunConfig, System
from mdgen.formats import load
from mdgen.formats.independence import require_distinct
from mdgen.groups import GroupSize, form_groups
from mdgen.initial import Configuration
from mdgen.list_capacity import first_capacity, replica_bytes
from mdgen.potentials import potential as registry
from mdgen.potentials.pair import PairPotential
from mdgen.relaxation import hold_in_words
from mdgen.schedule import Schedule, cooling_blocks, production_blocks
from mdgen.thermostats import thermostat
from runkit.config import dump_toml
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.layout import in_units, n_bytes
from runkit.dataset.resume import found_at
from runkit.errors import UserError
from runkit.launcher import planned_size
from runkit.outputs import require_own_name
from runkit.progress import duration

# Atom-steps per core-second that the estimate assumes: one system, replicas together (docs/performance.md).
ONE_SYSTEM, TOGETHER = 3e6, 8e6
PROGRAM = 3e8  # bytes of a rank before it has any data
# Keys of [initial] that count for melts alone, and for files alone.
MELTED = ("temperature", "melt_time", "cooling_time", "hold_time", "thermostat", "relaxation_time")
READ = ("species", "frames")


def potential_of(config: RunConfig) -> PairPotential:
    """The interaction that `config` names; raises `UserError` if the rest of it does not fit, or its thermostat."""
    require_used(config.initial)
    require_thermostat(config)
    system = config.system
    law = registry.build(system.potential, **system.parameters)
    is_open = bool(config.initial.file) and "composition" not in system.model_fields_set  # the files will say it
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
    """Raise `UserError` for an unknown thermostat, or one that must be slower for this time step."""
    initial, dt = config.initial, config.integrator.dt
    least = thermostat.get(initial.thermostat).least_steps * dt
    if initial.relaxation_time < least and not initial.file:
        raise UserError(
            f"initial.relaxation_time = {initial.relaxation_time:g}; allowed with thermostat {initial.thermostat!r} "
            f"and integrator.dt = {dt:g}: {least:g} or more"
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
    """Raise `UserError` if a key of `system` that the user has set says something else than a configuration."""
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
    told = f"{len(given)} given configuration(s), taken as they are: neither cooled nor held"
    silent = [one.source for one in given if one.temperature is None]
    if "temperature" in config.system.model_fields_set or not silent:
        return told
    which = "the files do not say their" if len(silent) == len(given) else f"{silent[0]} does not say its"
    return f"{told}; {which} temperature: system.temperature = {_temperature(config, given):g} is taken"


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
    density = n_particles / _smallest_volume(config, given)
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


def show(config: RunConfig) -> None:
    """Print the resolved configuration, then what it means: work, shares, file, memory and estimated time."""
    require_own_name(config.output)
    potential = potential_of(config)
    given = given_configurations(config, potential)
    start = taken_as_given(config, given) if given else hold_in_words(config)[0]
    config = resolved(config, given)
    sizes, n_ranks = dimensions(config, potential, given), planned_size()
    on_cpu, on_gpu = _work_on_cpu(sizes, n_ranks), _work_on_gpu(sizes, n_ranks, config.replicas_per_gpu)
    samples, replicas = on_gpu if config.device == "gpu" else on_cpu
    print(dump_toml(config))
    there = found_at(Path(config.output), ISOCONFIG, config.model_dump(mode="json"), FREE_KEYS)
    for line in (
        f"file       {config.output}: {in_units(n_bytes(ISOCONFIG, sizes))}, "
        + ", ".join(f"{n} {name}s" for name, n in sizes.items() if name != "species"),
        *([f"there      {there}"] if there else []),
        f"work       {sizes['sample']} samples, then {sizes['sample'] * sizes['replica']} replicas, up to "
        f"{replicas.largest} together",
        f"start      {start}",
        f"ranks      {n_ranks}, each with {samples.shares} samples, then {replicas.shares} replicas",
        f"memory     {memory_in_words(sizes, replicas.largest)}",
        *_of_gpu(config, potential, given, sizes, on_gpu),
        f"cost       {_cost(config, bool(given), sizes, on_cpu)}",
    ):
        print("# " + line)


class Work(NamedTuple):
    """Units of a stage: of the largest group, and of each rank."""

    largest: int
    of_ranks: list[int]

    @property
    def shares(self) -> str:
        """What ranks have to do, in words."""
        least, most = min(self.of_ranks), max(self.of_ranks)
        return f"{most}" if least == most else f"{least} to {most}"


def work_of(config: RunConfig, sizes: dict[str, int], n_ranks: int) -> tuple[Work, Work]:
    """Samples and replicas of an unbroken run on the device of the configuration (auto: the CPU)."""
    on_gpu = config.device == "gpu"
    return _work_on_gpu(sizes, n_ranks, config.replicas_per_gpu) if on_gpu else _work_on_cpu(sizes, n_ranks)


def _work_on_cpu(sizes: dict[str, int], n_ranks: int) -> tuple[Work, Work]:
    """Samples and replicas of an unbroken run."""
    samples, replicas = _units(sizes)
    return _shared(samples, equilibration.GROUP_SIZE, n_ranks), _shared(replicas, production.GROUP_SIZE, n_ranks)


def _work_on_gpu(sizes: dict[str, int], n_ranks: int, most: int) -> tuple[Work, Work]:
    """The same, where units of all samples advance together."""
    samples, replicas = ([range(sum(map(len, lists)))] for lists in _units(sizes))
    return _shared(samples, GroupSize(1, most), n_ranks), _shared(replicas, GroupSize(1, most), n_ranks)


def _units(sizes: dict[str, int]) -> tuple[list[range], list[range]]:
    """Samples, and replicas, of each sample; which is which does not matter to a plan."""
    return [range(1)] * sizes["sample"], [range(sizes["replica"])] * sizes["sample"]


def _shared(lists: Sequence[range], size: GroupSize, n_ranks: int) -> Work:
    lengths = [[len(group) for group in groups] for groups in form_groups(lists, size, n_ranks)]
    return Work(max(chain(*lengths)), [sum(of_rank) for of_rank in lengths])


def _of_gpu(
    config: RunConfig,
    potential: PairPotential,
    given: Sequence[Configuration],
    sizes: dict[str, int],
    work: tuple[Work, Work],
) -> list[str]:
    """What a rank takes of its GPU, if it may have one."""
    if config.device == "cpu":
        return []
    samples, replicas = work
    n_particles, largest = sizes["particle"], max(samples.largest, replicas.largest)
    capacity = first_capacity(n_particles, _smallest_volume(config, given), potential)
    needed = in_units(largest * replica_bytes(n_particles, config.integrator.precision, capacity))
    if config.device == "gpu":
        return [f"gpu        {needed} of its memory for the largest group of a rank"]
    return [f"gpu        if every rank finds one: up to {replicas.largest} replicas together, {needed} of its memory"]


def _cost(config: RunConfig, are_given: bool, sizes: dict[str, int], on_cpu: tuple[Work, Work]) -> str:
    """Work, and the time that it takes where that is known."""
    dt = config.integrator.dt
    cooling = Schedule() if are_given else cooling_blocks(config.initial, config.system.temperature, dt)
    following = production_blocks(config.production.times, dt)
    alone = cooling.steps_after() * sizes["particle"]
    together = following.steps_after() * sizes["particle"]  # a replica
    total = f"{sizes['sample'] * (alone + sizes['replica'] * together):.3g} atom-steps"
    if config.device == "gpu":
        return f"{total}; no rate of a GPU has been measured yet to tell the time"
    samples, replicas = on_cpu
    seconds = max(samples.of_ranks) * alone / ONE_SYSTEM + max(replicas.of_ranks) * together / TOGETHER
    return f"{total}, about {duration(seconds)} on these ranks" + (" without GPUs" if config.device == "auto" else "")


def _edge(n_particles: int, density: float) -> float:
    return float((n_particles / density) ** (1 / 3))


def _smallest_volume(config: RunConfig, given: Sequence[Configuration]) -> float:
    boxes = [float(np.prod(start.box)) for start in given]
    return min(boxes, default=config.system.n_particles / config.system.density)


def memory_in_words(sizes: dict[str, int], largest: int) -> str:
    """Main memory of a rank whose largest group has so many replicas."""
    return f"about {in_units(PROGRAM + rank_bytes(sizes, largest))} per rank"


def rank_bytes(sizes: dict[str, int], lanes: int) -> int:
    """Peak memory of a rank: a group of replicas with its lists, or the trajectories of a sample to label."""
    atoms = sizes["particle"]
    return max(lanes * atoms * 100 + atoms * 4000, sizes["time"] * sizes["replica"] * atoms * 12 + sizes["bond"] * 200)
