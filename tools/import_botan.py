"""Read published ensembles into an ISOCONFIG file: BOTAN's trajectories or GlassBench's propensities.

    mpiexec -n 2 python -m tools.import_botan data/botan.h5 small_data/T0.44/*/*.npz
    mpiexec -n 2 python -m tools.import_botan data/glassbench.h5 KA_models/T0.44/*/*.npz

BOTAN: `isoconfig_N4096T0.44_1_tc07.npz`, one file per configuration and time; the times of one configuration become one
sample. Energies, inherent structures, labels and their noise are computed as mdgen computes them. GlassBench:
`N4096T0.44_1.npz`; it holds propensities and inherent structures but no trajectories, so the file has no replicas and
lists as `absent` what needs them: networks learn from it without bonds (loss.p = 1). Bond-breaking propensities and
positions in cages are taken over where all files have them. An interrupted import is finished by the same command.

Source: H. Shiba et al., J. Chem. Phys. 158, 084503 (2023), doi:10.1063/5.0129791, data format at
https://github.com/h3-Open-BDEC/pyg_botan; G. Jung et al., GlassBench, doi:10.5281/zenodo.10118191.
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from dtrain.glass import published
from mdgen.api import evaluate
from mdgen.config import Label, RunConfig
from mdgen.dynamics import warm_up
from mdgen.equilibration import equilibrate
from mdgen.formats import load
from mdgen.formats.independence import require_distinct
from mdgen.initial import Configuration
from mdgen.labelling import label, write_labels
from mdgen.observables import neighbour_pairs
from mdgen.potentials import potential as registry
from mdgen.resolve import dimensions, potential_of, require_bonds_that_fit
from mdgen.trajectory import Run
from runkit.arrays import F64
from runkit.cli import run_program
from runkit.config import Config
from runkit.config import load as configure
from runkit.dataset.contracts.isoconfig import BOND_BREAKING, CAGE, ISOCONFIG
from runkit.dataset.schema import COMPLETE
from runkit.dataset.writer import Writer
from runkit.errors import UserError
from runkit.files import expand, natural
from runkit.folders import make_folder
from runkit.log import say
from runkit.mpi import World, launch
from runkit.progress import Progress
from runkit.stop import Stop
from tools.published_npz import array, digest, finite, keys, trajectories
from tools.published_npz import temperature as temperature_of

LACKING = {
    "positions": ("kinetic_energy", "energy_drift"),
    "md_prop": tuple(
        field.name
        for field in ISOCONFIG.fields
        if field.stage == "propagated"
        or (field.stage == "labelled" and field.name not in ("propensity", "n_bonds", "bond"))
    ),
}


# Array of GlassBench's files -> the field that it becomes, where all files have it.
FURTHER = {"initial_positions_cage": CAGE, "bb_prop": BOND_BREAKING}


class Import(Config):
    """Published npz files as one ISOCONFIG file."""

    output: str = Field(description="file to write")
    file: tuple[str, ...] = Field(min_length=1, description="npz files, or globs of them")
    potential: str = Field("kob-andersen", description="registered potential, for energies and inherent structures")
    density: float = Field(1.2, gt=0, description="number density that gives the cubic box where a file has none")
    temperature: float | None = Field(None, gt=0, description="temperature; none: from the files or their names")
    species: tuple[str, ...] = Field((), description="names of species 0, 1, … in these files; none: 0, 1, …")
    times: tuple[float, ...] = Field((), description="times, ascending; none: from the files or the published ones")
    label: Label = Label()


@dataclass(frozen=True)
class Plan:
    """The content of the files: `paths[sample][time]`, and the key that all files of their kind have."""

    kind: str
    paths: tuple[tuple[str, ...], ...]
    times: tuple[float, ...]
    temperature: float
    n_replicas: int
    further: tuple[str, ...] = ()  # of FURTHER


def import_files(world: World, options: Import) -> int:
    """Write the file, or finish it; collective. Returns the exit code."""
    plan = world.on_root(make_plan, options)
    given = world.on_root(load, [of_sample[0] for of_sample in plan.paths], options.density, options.species)
    require_distinct(given)
    for configuration in given:
        configuration.require(registry.build(options.potential))
        _require_density(options, configuration)
    config = make_case(options, plan, given[0])
    potential = potential_of(config)
    require_bonds_that_fit(config, given)
    sizes = {**dimensions(config, potential, given), "replica": plan.n_replicas}
    with Stop(world, config) as stop, _open(world, config, plan, sizes) as file:
        if file.finished:
            say(world, f"{file.path} is complete already")
            return 0
        world.first_on_each_node(warm_up, potential, "float64")
        if plan.kind == "positions":
            run = Run(config, potential, file, world, None, stop)
            if not run.go_through(partial(equilibrate, given=given), partial(_read_trajectories, plan, given), label):
                return stop.conclude(file.part)
        else:
            _read_propensities(config, plan, given, file, world)
        file.seal()
    further = f", with {', '.join(FURTHER[key].name for key in plan.further)}" if plan.further else ""
    say(world, f"wrote {options.output}: {len(plan.paths)} samples, times {list(plan.times)}{further}")
    return 0


def make_plan(options: Import) -> Plan:
    """Sort the files by configuration and time; raises `UserError` if they do not belong together."""
    found: dict[str, dict[int, str]] = {}
    for path in map(str, expand(options.file, "file")):
        stem, _, index = path.removesuffix(".npz").rpartition("_tc")
        key, i_time = (stem, int(index)) if stem and index.isdecimal() else (path, 0)
        found.setdefault(key, {})[i_time] = path
    stems = sorted(found, key=lambda stem: (natural(Path(stem).name), stem))
    indices = sorted(found[stems[0]])
    for stem in stems:
        if sorted(found[stem]) != indices:
            raise UserError(
                f"{stem} has time indices {sorted(found[stem])}, {stems[0]} has {indices}; equal ones are needed"
            )
    paths = tuple(tuple(found[stem][index] for index in indices) for stem in stems)
    first = paths[0]
    kinds = [kind for kind in LACKING if kind in keys(first[0])]
    if not kinds:
        raise UserError(f"{first[0]}: neither 'positions' (BOTAN) nor 'md_prop' (GlassBench) is there")
    temperatures = {temperature_of(of_sample[0], options.temperature): of_sample[0] for of_sample in paths}
    if len(temperatures) > 1:
        (a, path_a), (b, path_b), *_ = temperatures.items()
        raise UserError(f"{path_a} has T = {a:g}, {path_b} has T = {b:g}: one temperature per dataset")
    temperature = next(iter(temperatures))
    times = _times(options, first, indices, temperature, kinds[0])
    n_replicas = len(np.atleast_1d(array(first[0], "positions"))) if kinds[0] == "positions" else 0
    further = _in_all(FURTHER, paths) if kinds[0] == "md_prop" else ()
    return Plan(kinds[0], paths, times, temperature, n_replicas, further)


def _in_all(names: Iterable[str], paths: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Those of some arrays that the first file of every sample has."""
    common = set(names).intersection(*(keys(of_sample[0]) for of_sample in paths))
    return tuple(name for name in names if name in common)


def make_case(options: Import, plan: Plan, first: Configuration) -> RunConfig:
    """The configuration of mdgen that would have made this data."""
    n_particles = len(first.species)
    fractions = np.bincount(first.species) / n_particles
    system: dict[str, Any] = {"n_particles": n_particles, "density": round(n_particles / float(np.prod(first.box)), 12)}
    system |= {"potential": options.potential, "temperature": plan.temperature, "composition": fractions.tolist()}
    production = {"n_samples": len(plan.paths), "n_replicas": max(plan.n_replicas, 2), "times": plan.times}
    initial = {"file": [path for of_sample in plan.paths for path in of_sample]}
    tables = {"system": system, "production": production, "initial": initial, "label": options.label.model_dump()}
    return configure(RunConfig, None, defaults={"output": options.output, **tables})


def _open(world: World, config: RunConfig, plan: Plan, sizes: Mapping[str, int]) -> Writer:
    settings = config.model_dump(mode="json")
    settings["production"]["n_replicas"] = plan.n_replicas
    inputs = {"file": world.on_root(digest, list(chain.from_iterable(plan.paths)))}
    attributes = {"config": settings, "source": "imported", "absent": LACKING[plan.kind], "inputs": inputs}
    world.on_root(make_folder, Path(config.output).parent)
    schema = ISOCONFIG.with_fields(*(FURTHER[key] for key in plan.further))
    file = Writer.open(world, config.output, schema, sizes, attributes, free_keys=("output",))
    if not file.finished and world.is_root:
        file.write("time", (), np.array(plan.times))
        file.write("temperature", (), np.full(len(plan.paths), plan.temperature))
    if not file.finished:
        file.sync()
    return file


def _read_trajectories(plan: Plan, given: list[Configuration], run: Run) -> None:
    file, world = run.file, run.world
    pending = sorted({sample for sample, _ in file.pending("propagated")})
    mine = [pending[i] for i in world.share(len(pending))]
    with Progress(world, len(mine) * len(plan.times), "files", "read trajectories") as progress:
        for sample in mine:
            run.stop.here()
            start = given[sample]
            for i_time, path in enumerate(plan.paths[sample]):
                position = trajectories(path, start, plan.n_replicas)
                law = run.config.system.potential
                energy = [evaluate(one, start.species, start.box, law).energy for one in position]
                file.write("position", (sample, i_time), position)
                file.write("potential_energy", (sample, i_time), np.array(energy) / len(start.species))
                progress.advance(1)
            file.mark("propagated", (sample,), COMPLETE)
            run.stop.keep(1)


def _require_density(options: Import, given: Configuration) -> None:
    density = len(given.species) / float(np.prod(given.box))
    if "density" in options.model_fields_set and not math.isclose(options.density, density, rel_tol=1e-3):
        raise UserError(f"density = {options.density:g}: {given.source} has a box of density {density:.6g}")


def _read_propensities(config: RunConfig, plan: Plan, given: list[Configuration], file: Writer, world: World) -> None:
    pending = [sample for (sample,) in file.pending("labelled")]
    mine = [pending[i] for i in world.share(len(pending))]
    with Progress(world, len(mine), "files", "read propensities") as progress:
        for sample in mine:
            path, start = plan.paths[sample][0], given[sample]
            wanted = (len(plan.times), len(start.species))
            labels = {"propensity": finite(path, "md_prop", wanted)}
            if "bb_prop" in plan.further:
                labels[BOND_BREAKING.name] = finite(path, "bb_prop", wanted)
            _write_structure(config, plan, start, file, sample)
            bond = neighbour_pairs(start.position, start.box, config.label.bond_cutoff)
            write_labels(file, sample, {"bond": bond, **labels})
            progress.advance(1)
    file.sync()


def _write_structure(config: RunConfig, plan: Plan, start: Configuration, file: Writer, sample: int) -> None:
    """A configuration, and the inherent structure and the positions in cages that the file gives for it."""
    path, n_particles = plan.paths[sample][0], len(start.species)
    inherent = _nearest(start, finite(path, "initial_positions_inherent", start.position.shape))
    energy = [evaluate(p, start.species, start.box, config.system.potential).energy for p in (start.position, inherent)]
    fields: dict[str, ArrayLike] = {
        "species": start.species,
        "box": start.box,
        "initial_position": start.position,
        "initial_energy": energy[0] / n_particles,
        "inherent_position": inherent,
        "inherent_energy": energy[1] / n_particles,
    }
    if "initial_positions_cage" in plan.further:
        cage = finite(path, "initial_positions_cage", start.position.shape)
        fields[CAGE.name] = _nearest(start, cage)
    for name, values in fields.items():
        file.write(name, (sample,), values)
    file.mark("equilibrated", (sample,), COMPLETE)


def _nearest(start: Configuration, position: F64) -> F64:
    """Positions unwrapped with respect to a configuration."""
    away = position - start.position
    found: F64 = start.position + away - np.round(away / start.box) * start.box
    return found


def _times(
    options: Import, paths: tuple[str, ...], indices: list[int], temperature: float, kind: str
) -> tuple[float, ...]:
    known = published.times(temperature)
    if options.times:
        times = options.times
    elif "time" in keys(paths[0]):
        times = tuple(float(time) for path in paths for time in np.atleast_1d(array(path, "time")))
    elif kind == "md_prop":
        times = known
    elif all(1 <= index <= len(known) for index in indices):
        times = tuple(known[index - 1] for index in indices)
    else:
        raise UserError(f"{paths[0]}: times of indices {indices} at T = {temperature:g} are not known; give times=[…]")
    n_times = len(indices) if kind == "positions" else len(np.atleast_1d(array(paths[0], "md_prop")))
    if len(times) != n_times or any(b <= a for a, b in pairwise(times)):
        raise UserError(f"times = {list(times)}: {n_times} ascending times are needed for {paths[0]}")
    return times


if __name__ == "__main__":
    run_program("python -m tools.import_botan", Import, partial(launch, import_files), positional=("output", "file"))
