"""Glass formers: Pearson correlations with the simulation beside noise ceiling, rivals and published figures.

Correlations are those of publications; rivals (`dtrain.glass.rivals`) are solved on the same training samples. Their
predictions go to evaluation_NAME.h5, where those of the network are in evaluation.h5.
Units: Lennard-Jones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike
from pydantic import Field

from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.knots import SAME
from dtrain.data.split import Split
from dtrain.glass.evaluation import Evaluation
from dtrain.glass.mobility import MOST_PARTS, Mobility, predict
from dtrain.glass.predictions import Prediction, answered, predictions, write_predictions
from dtrain.glass.report import CAGED, Row, figures_of, report
from dtrain.glass.rivals import answers_of, rivals_of
from dtrain.glass.snapshots import is_dataset, predict_file
from dtrain.tasks import WHOLE, EvaluateOptions, PredictOptions, Task, chosen, open_data, task
from dtrain.weights import Trained
from runkit.errors import UserError
from runkit.log import say
from runkit.mpi import World
from runkit.progress import Progress


class GlassRival(EvaluateOptions):
    """Scores of a trained network beside those of its rivals."""

    part: Literal["test", "validation", "train", "new", "all"] = Field(
        "test", description="which samples are scored; new: those outside the split of the training"
    )
    rival: bool = Field(
        True,
        description="solve the linear model of descriptors on the same training samples too, and, if the network takes "
        "cages, a linear model of the displacements in the short simulation",
    )


class GlassEvaluate(GlassRival):
    """Scores of a trained network beside baselines, noise ceiling and published figures."""

    time: int | None = Field(None, ge=0, description="index of the time in the file; none: the one that was learnt")


class GlassPredict(PredictOptions):
    """Predictions of a trained network for the samples of an ISOCONFIG file, into HDF5, or for any configurations, into
    HDF5 and extended XYZ.
    """

    file: str = Field(min_length=1, description="ISOCONFIG file, or configurations: xyz, LAMMPS data or dump, npz, gsd")
    time: int | None = Field(None, ge=0, description="index of the time in the file; none: the one that was learnt")
    potential: str = Field("", description="of inherent structures, where they are needed; none: that of the training")
    parameters: dict[str, Any] = Field({}, description="parameters of this potential, as its law names them")
    temperature: float | None = Field(
        None,
        gt=0,
        description="of the short simulation that cages are taken from, for configurations, where a model has them; "
        "none: that of the training",
    )
    parts: int = Field(
        0, ge=0, le=MOST_PARTS, description="parts that a configuration is cut into; 0: one for each process, or more"
    )


@task("glass")
class GlassTask(Task[GlassEvaluate, GlassPredict]):
    """Predictions of a network of isoconfigurational ensembles."""

    Evaluate, Predict = GlassEvaluate, GlassPredict

    @staticmethod
    def evaluate(world: World, trained: Trained, options: GlassEvaluate, folder: Path) -> dict[str, float]:
        data = open_data(world, trained, options, partial(_open, trained, options.file, options.time))
        samples = chosen(data, options.part, "sample")
        found = answered(world, trained, data, samples, trained.recipe.model.name)
        return headline(score_at(world, trained, data, (samples, found), options, folder)[0])

    @staticmethod
    def predict(world: World, trained: Trained, options: GlassPredict, path: Path) -> None:
        if not world.on_root(is_dataset, options.file):
            how = (options.potential, options.parameters, options.parts, options.temperature)
            predict_file(world, trained, options.file, how, path)
            return
        require_own_temperature(options)
        data = _open(trained, options.file, options.time, WHOLE)
        predict_samples(world, trained, data, data.at, options.model, path)

    @staticmethod
    def predict_arrays(
        trained: Trained, position: ArrayLike, species: ArrayLike, box: ArrayLike, **options: Any
    ) -> Mobility:
        return predict(trained, position, species, box, **options)


def score_at(
    world: World,
    trained: Trained,
    data: Glass,
    scored: tuple[Sequence[int], list[Prediction]],
    options: GlassRival,
    folder: Path,
) -> list[Row]:
    """Score samples, and the answers for this rank's share of them, at the time of the data, beside those of rivals.

    Writes all results into the folder.
    """
    samples, found = scored
    model, config = str(trained.path), trained.recipe.model_dump(mode="json")
    evaluation = Evaluation(world, data, samples, {"model": model, "config": config})
    simulates = CAGED if data.options.cage.replicas else ""
    rows = [evaluation.scored(trained.recipe.model.name + simulates, found)]
    evaluation.write(folder / "evaluation.h5", found)
    names = rivals_of(data, trained.recipe.model.name) if options.rival else []
    files = {name: f"evaluation_{name.replace(' ', '_')}.h5" for name in names}
    for name, file in files.items():
        found = answers_of(world, name, trained, data, samples)
        rows.append(evaluation.scored(name, found))
        evaluation.write(folder / file, found)
    further = {"rivals": files, "n_train": trained.n_train(data.parts)}
    further["learnt"] = learnt_elsewhere(trained, data)
    world.on_root(lambda: report(folder, {**evaluation.about(model, options.part), **further}, rows))
    return rows


def learnt_elsewhere(trained: Trained, data: Glass) -> dict[str, float] | None:
    """The temperature and the time that a network answers for, if they are not those of the data; None if they are."""
    temperatures, time = trained.system.get("temperature", []), trained.system.get("time")
    if len(temperatures) != 1 or time is None:
        return None
    pairs = (temperatures[0], data.system["temperature"][0]), (time, data.at)
    if all(math.isclose(*pair, rel_tol=SAME) for pair in pairs):
        return None
    return {"temperature": float(temperatures[0]), "time": float(time)}


def predict_samples(world: World, trained: Trained, data: Glass, time: float, model: str, path: Path) -> None:
    """Write predictions at a time for all samples of a file that is one part (`WHOLE`); `model` is named beside."""
    samples = data.parts["train"]
    mine = [samples[i] for i in world.share(len(samples))]
    about = {"config": trained.recipe.model_dump(mode="json"), "model": model, "dataset": data.options.file}
    with Progress(world, len(mine), "samples", "predict") as progress:
        rows = predictions(trained, data, mine, progress)
        write_predictions(world, path, data.dataset, (samples, time), rows, about)
    say(world, f"wrote {path}: {len(samples)} samples")


def require_own_temperature(options: GlassPredict) -> None:
    """Raise UserError for a temperature beside samples of a file, which have their own."""
    if options.temperature is not None:
        told = f"samples of {options.file} have their own; leave it out"
        raise UserError(f"temperature = {options.temperature:g}: {told}")


def _open(trained: Trained, file: str, time: int | None, split: Split | None = None) -> Glass:
    """The data as the network was trained on it, or another file, time or split; UserError if they do not suit it."""
    given: dict[str, Any] = {"file": file or None, "time": time, "split": split}
    changes = {name: value for name, value in given.items() if value is not None}
    if file:  # the training samples of another file are not needed
        changes["reversed"] = 0
    return Glass(trained.options_as(GlassOptions).model_copy(update=changes), seed=trained.recipe.seed)


def headline(row: Row) -> dict[str, float]:
    """What a campaign's table shows of a run: every figure of every kind, with its standard error."""
    found: dict[str, float] = {}
    for kind, score in row.scores.items():
        for name, one in figures_of(score):
            found |= {f"{name}_{kind}": one.value, f"{name}_{kind}_error": one.error}
    return found
