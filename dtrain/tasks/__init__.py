"""Tasks: what a trained network is asked to do with a kind of data; one per data set, registered by its name.

A task is a class with

- `Evaluate(EvaluateOptions)`, `Predict(PredictOptions)`: the keys of the command lines
- `evaluate(world, trained, options, folder)`: score the network on samples held back, beside its rivals; writes
  evaluation.json, evaluation.csv and the predictions into the folder, and returns its headline scores by name
- `predict(world, trained, options, path)`: the network's answers for a whole file, into a new file

Both are collective: work is shared out over the processes of the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from dtrain.checkpoint import read_recipe, runs_at
from runkit.config import Config
from runkit.errors import UserError
from runkit.registry import Registry

task = Registry("task", "dtrain.tasks")


class EvaluateOptions(Config):
    """Scores of a trained network on samples held back from training, beside its rivals.

    Further keys depend on the data that it learnt from: `RUN --help` lists all.
    """

    run: str = Field(
        min_length=1, description="folder of a run or of a campaign, model.safetensors, or published weights (.pth)"
    )
    file: str = Field("", description="file of the generator; none: the one of the training")
    output: str = Field("", description="folder for the results; none: that of the model")
    device: str = Field("auto", pattern="^(auto|cpu|gpu)$", description="where the network is computed")
    threads: int = Field(0, ge=0, description="threads of a process; 0: its share of the node's cores")


class PredictOptions(Config):
    """Predictions of a trained network for a file of the generator, into HDF5.

    Further keys depend on the data that it learnt from: `MODEL FILE --help` lists all.
    """

    model: str = Field(min_length=1, description="folder of a run, model.safetensors, or published weights (.pth)")
    file: str = Field(min_length=1, description="file of the generator")
    output: str = Field("", description="file to write; none: predictions.h5 beside the model")
    device: str = Field("auto", pattern="^(auto|cpu|gpu)$", description="where the network is computed")
    threads: int = Field(0, ge=0, description="threads of a process; 0: its share of the node's cores")


def task_in(words: Sequence[str], key: str) -> Any:
    """The task of the model that a command line names, by its first word or as `key`; None if there is none."""
    named = [word.removeprefix(f"{key}=") for word in words if word.startswith(f"{key}=")]
    named += [word for word in words if "=" not in word and not word.startswith("-")]
    try:
        return task.get(read_recipe(runs_at(named[0])[0]).data.name) if named else None
    except UserError:
        return None  # the mistake is reported where the model is loaded
