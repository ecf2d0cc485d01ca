"""Glass formers: Pearson correlations with the simulation beside noise ceiling, ridge regressions, published figures.

Correlations are those that the field reports; the ridge regressions on simple local descriptors are fitted to the same
training samples. Their predictions go to evaluation_ridge.h5, where a prediction of the network is in evaluation.h5.
Units: Lennard-Jones.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.split import Split
from dtrain.glass.evaluation import Evaluation
from dtrain.glass.predictions import predictions, write_predictions
from dtrain.glass.report import Row, report
from dtrain.tasks import WHOLE, EvaluateOptions, PredictOptions, Task, chosen, open_data, task
from dtrain.weights import Trained
from runkit.log import say
from runkit.mpi import World
from runkit.progress import Progress


class GlassEvaluate(EvaluateOptions):
    """Scores of a trained network beside baselines, noise ceiling and published figures."""

    time: int | None = Field(None, ge=0, description="index of the time in the file; none: the one that was learnt")
    part: Literal["test", "validation", "train", "new", "all"] = Field(
        "test", description="which samples are scored; new: those outside the split of the training"
    )
    ridge: bool = Field(True, description="fit the ridge regressions too")


class GlassPredict(PredictOptions):
    """Predictions of a trained network for the samples of an ISOCONFIG file, into HDF5."""

    time: int | None = Field(None, ge=0, description="index of the time in the file; none: the one that was learnt")


@task("glass")
class GlassTask(Task[GlassEvaluate, GlassPredict]):
    """What a network of isoconfigurational ensembles is asked to do."""

    Evaluate, Predict = GlassEvaluate, GlassPredict

    @staticmethod
    def evaluate(world: World, trained: Trained, options: GlassEvaluate, folder: Path) -> dict[str, float]:
        data = open_data(world, trained, options, partial(_open, trained, options.file, options.time))
        samples = chosen(data, options.part, "sample")
        model = str(trained.path)
        evaluation = Evaluation(
            world, data, samples, {"model": model, "config": trained.recipe.model_dump(mode="json")}
        )
        with Progress(world, len(evaluation.mine), "samples", "network") as progress:
            found = list(predictions(trained, data, evaluation.mine, progress))
        rows = [evaluation.scored(trained.recipe.model.name, found)]
        evaluation.write(folder / "evaluation.h5", found)
        best = None
        if options.ridge:
            rivals = {f"ridge, {positions}": evaluation.ridge(positions) for positions in ("thermal", "inherent")}
            rows += [evaluation.scored(name, found) for name, found in rivals.items()]
            best = max(rows[1:], key=lambda row: np.nan_to_num(row.node.pearson if row.node else -1.0, nan=-1.0)).name
            evaluation.write(folder / "evaluation_ridge.h5", rivals[best])
        world.on_root(report, folder, {**evaluation.about(model, options.part), "ridge": best}, rows)
        return _headline(rows[0])

    @staticmethod
    def predict(world: World, trained: Trained, options: GlassPredict, path: Path) -> None:
        data = _open(trained, options.file, options.time, WHOLE)
        samples = data.split["train"]
        mine = [samples[i] for i in world.share(len(samples))]
        about = {"config": trained.recipe.model_dump(mode="json"), "model": options.model, "dataset": options.file}
        with Progress(world, len(mine), "samples", "predict") as progress:
            rows = predictions(trained, data, mine, progress)
            write_predictions(world, path, data.dataset, (samples, data.options.time), rows, about)
        say(world, f"wrote {path}: {len(samples)} samples")


def _open(trained: Trained, file: str, time: int | None, split: Split | None = None) -> Glass:
    """The data as the network was trained on it, or another file, time or split; UserError if they do not suit it."""
    given: dict[str, Any] = {"file": file or None, "time": time, "split": split}
    changes = {name: value for name, value in given.items() if value is not None}
    return Glass(trained.options_as(GlassOptions).model_copy(update=changes), seed=trained.recipe.seed)


def _headline(row: Row) -> dict[str, float]:
    return {f"rho_{kind}": score.pearson for kind in ("node", "edge") if (score := getattr(row, kind))}
