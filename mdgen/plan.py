"""Plan of a run before it starts: shares of the ranks, memory and time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from mdgen import equilibration, production
from mdgen.config import FREE_KEYS, RunConfig
from mdgen.groups import GroupSize, form_groups
from mdgen.initial import Configuration
from mdgen.list_capacity import first_capacity, replica_bytes
from mdgen.potentials.pair import PairPotential
from mdgen.relaxation import hold_in_words
from mdgen.resolve import dimensions, given_configurations, potential_of, resolved, smallest_volume, taken_as_given
from mdgen.schedule import Schedule, cooling_blocks, production_blocks
from mdgen.storage import schema_of, working_path
from runkit.config import dump_toml
from runkit.dataset.contracts.isoconfig import ISOCONFIG
from runkit.dataset.layout import in_units, n_bytes
from runkit.dataset.resume import found_at
from runkit.launcher import planned_size
from runkit.outputs import part_of, require_own_name
from runkit.progress import duration

# Atom-steps per core-second that the estimate assumes: one system, replicas together (docs/performance.md).
ONE_SYSTEM, TOGETHER = 3e6, 8e6
PROGRAM = 3e8  # bytes of a rank before it has any data


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
    settings, places = config.model_dump(mode="json"), dict.fromkeys((Path(config.output), working_path(config)))
    there = [found_at(path, ISOCONFIG, settings, FREE_KEYS) for path in places]
    whole = f"; while it runs {in_units(n_bytes(ISOCONFIG, sizes))} in {part_of(working_path(config))}"
    for line in (
        f"file       {config.output}: {in_units(n_bytes(schema_of(config), sizes))}, "
        + ", ".join(f"{n} {name}s" for name, n in sizes.items() if name != "species")
        + (whole if config.production.store != "all" else ""),
        *(f"there      {found}" for found in there if found),
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
        """The work of the ranks, in words."""
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
    capacity = first_capacity(n_particles, smallest_volume(config, given), potential)
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
        return f"{total}; no rate of a GPU has been measured yet to estimate the time"
    samples, replicas = on_cpu
    seconds = max(samples.of_ranks) * alone / ONE_SYSTEM + max(replicas.of_ranks) * together / TOGETHER
    return f"{total}, about {duration(seconds)} on these ranks" + (" without GPUs" if config.device == "auto" else "")


def memory_in_words(sizes: dict[str, int], largest: int) -> str:
    """Main memory of a rank whose largest group has so many replicas."""
    return f"about {in_units(PROGRAM + rank_bytes(sizes, largest))} per rank"


def rank_bytes(sizes: dict[str, int], lanes: int) -> int:
    """Peak memory of a rank: a group of replicas with its lists, or the trajectories of a sample to label."""
    atoms = sizes["particle"]
    return max(lanes * atoms * 100 + atoms * 4000, sizes["time"] * sizes["replica"] * atoms * 12 + sizes["bond"] * 200)
