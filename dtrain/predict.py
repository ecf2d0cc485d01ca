"""Predict with a trained network: `python dtrain/predict.py MODEL FILE [key=value …]`; also by `deepspeed`, `torchrun`.

MODEL is the folder of a run, a `model.safetensors`, published weights, or the folder of a campaign over seeds, whose
answers are averaged; FILE a file of the generator, for glass also any file of configurations. The result is a file of
predictions, by default `predictions.h5` beside the model; what is in it depends on the data (`dtrain/tasks/`).

The module is a function too, for NumPy arrays: `dtrain.predict(position, species, box, model)` is the mobility of a
configuration (`dtrain.glass.mobility.predict`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from runkit.imports import TORCH, imports_of

with imports_of(__name__, TORCH):
    from numpy.typing import ArrayLike

    from dtrain.ensemble import load_trained, members_at
    from dtrain.ranks import Ranks, connected
    from dtrain.tasks import PredictOptions, options_in, task
    from dtrain.weights import Trained
    from runkit.cli import run_program
    from runkit.folders import make_folders
    from runkit.launcher import torch_launch


class _Callable(ModuleType):
    """The program as a function of arrays."""

    def __call__(
        self, position: ArrayLike, species: ArrayLike, box: ArrayLike, model: Trained | Path | str, **options: Any
    ) -> Any:  # what a task gives and takes has types of its own
        """The prediction of a model, or of the one at a path, for a configuration: see `Task.predict_arrays`."""
        trained = model if isinstance(model, Trained) else load_trained(str(model))
        return task.get(trained.recipe.data.name).predict_arrays(trained, position, species, box, **options)


sys.modules[__name__].__class__ = _Callable


def predict(options: PredictOptions) -> None:
    """Predict a whole file, shared out over the processes."""
    with connected("the prediction", options.device, options.threads, options) as ranks:
        _predict(ranks, options)


def _predict(ranks: Ranks, options: PredictOptions) -> None:
    trained = load_trained(options.model)
    trained.network.to(ranks.device)
    path = Path(options.output) if options.output else trained.folder / "predictions.h5"
    if not options.output:
        ranks.on_root(make_folders, path.parent)
    task.get(trained.recipe.data.name).predict(ranks, trained, options, path)
    for member in members_at(options.model) if options.members else ():
        member.network.to(ranks.device)
        beside = path.with_stem(f"{path.stem}_{member.folder.name}")
        task.get(member.recipe.data.name).predict(ranks, member, options, beside)


def main(words: Sequence[str]) -> None:
    """The program with its command line."""
    with imports_of(__name__):  # of networks and data sets
        options = options_in(words, "model", "Predict", PredictOptions)
    run_program(
        "python dtrain/predict.py",
        options,
        predict,
        arguments=words,
        positional=("model", "file"),
        launched=torch_launch,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
