"""Glass formers at any time: correlation with the simulation against time, beside linear models solved for each time.

Every time of every file is scored as a network of that time alone would be (`dtrain.tasks.glass`).
Units: Lennard-Jones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike
from pydantic import Field

from dtrain.data.glass import Glass
from dtrain.data.glass_files import TimesOptions
from dtrain.data.glass_times import GlassTimes
from dtrain.data.knots import Knots
from dtrain.data.split import Split
from dtrain.glass.mobility import Mobility, predict
from dtrain.glass.moment import at, replaced
from dtrain.glass.predictions import Prediction, answered
from dtrain.glass.report import BONDS, OVER, against_time, number
from dtrain.glass.snapshots import is_dataset, predict_file
from dtrain.tables import columns_of, write_table
from dtrain.tasks import WHOLE, Task, chosen, open_data, task
from dtrain.tasks.glass import (
    GlassPredict,
    GlassRival,
    headline,
    predict_samples,
    require_own_temperature,
    score_at,
)
from dtrain.weights import Trained
from runkit.errors import UserError
from runkit.folders import make_folders
from runkit.log import say
from runkit.mpi import World

CALLER = 3  # frames up from a warning to the code that calls `dtrain.predict`


class TimesEvaluate(GlassRival):
    """Scores of a trained network at all times of a file, beside those of linear models of each time."""

    as_time: float | None = Field(
        None, gt=0, description="time that the network answers for, whatever those of the file; none: these [tau_LJ]"
    )
    as_temperature: float | None = Field(
        None,
        gt=0,
        description="temperature that the network answers for, whatever that of the file, at which cages are simulated "
        "all the same; none: this one",
    )


class TimesPredict(GlassPredict):
    """Predictions of a trained network at one time, for the samples of an ISOCONFIG file, into HDF5, or for any
    configurations, into HDF5 and extended XYZ.
    """

    time: float | None = Field(  # type: ignore[assignment]
        None, gt=0, description="time after the start, within those that were learnt; none: the last one [tau_LJ]"
    )
    temperature: float | None = Field(
        None,
        gt=0,
        description="temperature, that of cages too; none: that of an ISOCONFIG file, else the lowest that was learnt",
    )


@task("glass-times")
class TimesTask(Task[TimesEvaluate, TimesPredict]):
    """Predictions of a network of isoconfigurational ensembles at any time."""

    Evaluate, Predict = TimesEvaluate, TimesPredict

    @staticmethod
    def evaluate(world: World, trained: Trained, options: TimesEvaluate, folder: Path) -> dict[str, float]:
        """Also writes the scores of every time of every file into a folder of their own, below `times`."""
        data = open_data(world, trained, options, partial(_open, trained, options.file))
        table: list[dict[str, Any]] = []
        found: dict[str, float] = {}
        for asked, of_time, scored in _answered(world, trained, data, options):
            temperature = of_time.system["temperature"][0]
            place = folder / "times" / f"T{temperature:g}_t{of_time.at:g}"
            world.on_root(make_folders, place)
            rows = score_at(world, asked, of_time, scored, options, place)
            table.append(against_time(temperature, of_time.at, rows))
            for name, value in headline(rows[0]).items():
                figure = name.removesuffix("_error")
                found[f"{figure}_T{temperature:g}_t{of_time.at:g}{name[len(figure) :]}"] = value
        world.on_root(_report, folder, table)
        return found

    @staticmethod
    def predict(world: World, trained: Trained, options: TimesPredict, path: Path) -> None:
        knots = Knots.from_system(trained.system)
        time = options.time or knots.times[0][-1]
        if not world.on_root(is_dataset, options.file):
            temperature = options.temperature or knots.temperatures[0]
            _say_replaced(world, trained, [time], temperature)
            how = (options.potential, options.parameters, options.parts, None)  # it is that of the moment
            predict_file(world, at(trained, time, temperature), options.file, how, path)
            return
        first = _open(trained, options.file, WHOLE).files[0].at[0]
        if first.options.cage.replicas:  # the simulation is at the temperature of the samples
            require_own_temperature(options)
        temperature = options.temperature or first.system["temperature"][0]
        _say_replaced(world, trained, [time], temperature)
        predict_samples(world, at(trained, time, temperature), first, time, options.model, path)

    @staticmethod
    def predict_arrays(
        trained: Trained, position: ArrayLike, species: ArrayLike, box: ArrayLike, **options: Any
    ) -> Mobility:
        """Beside the keys of `dtrain.glass.mobility.predict`: `time`, and `temperature`, as on the command line.

        Warns where other answers stand in for those that were not learnt.
        """
        knots = Knots.from_system(trained.system)
        time = options.pop("time", None) or knots.times[0][-1]
        temperature = options.pop("temperature", None) or knots.temperatures[0]
        for line in replaced(trained, [time], temperature):
            warnings.warn(line, stacklevel=CALLER)
        return predict(at(trained, time, temperature), position, species, box, **options)


def _open(trained: Trained, file: str, split: Split | None = None) -> GlassTimes:
    """The data as the network was trained on it, or another file or split, at all of its times."""
    changes: dict[str, Any] = {"times": "all"} | ({"split": split} if split else {})
    if file:  # the training samples of another file are not asked for
        changes |= {"file": file, "further": (), "reversed": 0}
    return GlassTimes(trained.options_as(TimesOptions).model_copy(update=changes), seed=trained.recipe.seed)


def _say_replaced(world: World, trained: Trained, times: Sequence[float], temperature: float) -> None:
    """Say what stands in for answers that were not learnt."""
    for line in replaced(trained, times, temperature):
        say(world, line)


def _answered(
    world: World, trained: Trained, data: GlassTimes, options: TimesEvaluate
) -> Iterator[tuple[Trained, Glass, tuple[list[int], list[Prediction]]]]:
    """The network at one moment, data of one time, the samples that are scored, as they are numbered in their file, and
    the answers.

    A sample is seen once, for all times of its file.
    """
    knots, samples = Knots.from_system(trained.system), chosen(data, options.part, "sample")
    if options.as_time:
        knots.require(options.as_time, "as_time")
    for file in data.files:
        own, parts = file.own(samples), {part: file.own(numbers) for part, numbers in data.parts.items()}
        known = [one for one in file.at if own and (options.as_time or knots.covers(one.at))]
        for unknown in (one.at for one in file.at if own and one not in known):
            say(world, f"t = {unknown:g} is not scored: it is not between the times that were learnt")
        if not known:
            continue
        temperature = options.as_temperature or float(file.at[0].system["temperature"][0])
        asked = [options.as_time or one.at for one in known]
        _say_replaced(world, trained, sorted({*asked}), temperature)
        at_all = at(trained, asked, temperature)
        found = answered(world, at_all, file.at[0], own, trained.recipe.model.name)
        for k, of_time in enumerate(known):
            of_time.parts.clear()
            of_time.parts.update(parts)
            then = [(sample, propensity[:, k], change[:, k]) for sample, propensity, change in found]
            yield at(trained, asked[k], temperature), of_time, (own, then)


def _report(folder: Path, table: list[dict[str, Any]]) -> None:
    """Print and write the correlations against time."""
    if not table:
        raise UserError("none of the times of the file lies between those that were learnt")
    write_table(folder / "evaluation.csv", table)
    print("\n" + "\n".join(_lines(table)))
    print(f"wrote evaluation.csv, and the scores of every time below {folder / 'times'}")


def _lines(table: list[dict[str, Any]]) -> list[str]:
    """The correlations within a sample, with standard errors, for a terminal: a line for each time, by kind."""
    told = f"rho at all times, mean over samples +- standard error; {OVER}NAME: how far the first is above it, paired"
    return [told, *(line for kind in ("A", BONDS) for line in _of_kind(table, f" {kind}"))]


def _of_kind(table: list[dict[str, Any]], kind: str) -> Iterator[str]:
    """The lines of what is scored; its columns have names that end in `kind`."""
    names = [name.removesuffix(" +-") for name in columns_of(table) if name.endswith(f"{kind} +-")]
    widths = [max(16, len(name)) for name in names]
    heads = "  ".join(name.ljust(width) for name, width in zip(names, widths, strict=True))
    yield f"     T        t  {heads}".rstrip()
    for row in table:
        cells = (
            number(row[name], row[f"{name} +-"], "+.3f" if name.startswith(OVER) else ".3f") if name in row else ""
            for name in names
        )
        line = "  ".join(text.ljust(width) for text, width in zip(cells, widths, strict=True))
        yield f"{row['temperature']:6.4g} {row['time']:8.4g}  {line}".rstrip()
