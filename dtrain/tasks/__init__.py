"""Tasks: evaluation and prediction by a trained network; one per data set, registered by its name.

`Task` is the protocol of one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from numpy.typing import ArrayLike
from pydantic import ConfigDict, Field

from dtrain.data import AnyDataSet
from dtrain.data.split import Split, TooFew
from dtrain.weights import Trained, read_recipe, runs_at
from runkit.config import Config
from runkit.errors import UserError
from runkit.log import say
from runkit.mpi import World
from runkit.registry import ClassRegistry

WHOLE = Split(train=1.0, validation=0.0, test=0.0)


class EvaluateOptions(Config):
    """Scores of a trained network on samples held back from training, beside its rivals.

    Further keys depend on the data that it learnt from: `RUN --help` lists all.
    """

    run: str = Field(
        min_length=1, description="folder of a run or of a campaign, model.safetensors, or published weights (.pth)"
    )
    file: str = Field("", description="file of the generator; none: the one of the training")
    part: str = Field("test", description="which samples are scored")
    output: str = Field("", description="folder for the results; none: that of the model")
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="where the network is computed")
    threads: int = Field(0, ge=0, le=4096, description="threads of a process; 0: its share of the node's cores")


class PredictOptions(Config):
    """Predictions of a trained network for a file of the generator, into HDF5.

    Further keys depend on the data that it learnt from: `MODEL FILE --help` lists all.
    """

    model: str = Field(
        min_length=1,
        description="folder of a run, or of a campaign over seeds; model.safetensors, or published weights (.pth)",
    )
    file: str = Field(min_length=1, description="file of the generator")
    output: str = Field("", description="file to write; none: predictions.h5 beside the model")
    members: bool = Field(
        False,
        description="of a campaign over seeds also the predictions of each run, each into a file beside it",
    )
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="where the network is computed")
    threads: int = Field(0, ge=0, le=4096, description="threads of a process; 0: its share of the node's cores")


Evaluate_contra = TypeVar("Evaluate_contra", bound=EvaluateOptions, contravariant=True)
Predict_contra = TypeVar("Predict_contra", bound=PredictOptions, contravariant=True)


class Task(Protocol[Evaluate_contra, Predict_contra]):
    """Evaluation and prediction by networks of one kind of data.

    A task derives from this class, with the keys of its two command lines, and registers itself under the name of its
    data set. Both methods are collective: work is shared out over the ranks of the world. They raise UserError for
    data of another kind than the training's, and where a file cannot be written.
    """

    Evaluate: ClassVar[type[EvaluateOptions]]
    Predict: ClassVar[type[PredictOptions]]

    @staticmethod
    @abstractmethod
    def evaluate(world: World, trained: Trained, options: Evaluate_contra, folder: Path) -> dict[str, float]:
        """Score the network on samples held back, beside its rivals.

        Writes evaluation.json, evaluation.csv and the predictions, evaluation.h5, into the folder, and returns the
        headline scores by name.
        """

    @staticmethod
    @abstractmethod
    def predict(world: World, trained: Trained, options: Predict_contra, path: Path) -> None:
        """Write the network's answers for a whole file into a new file."""

    @staticmethod
    def predict_arrays(
        trained: Trained, position: ArrayLike, species: ArrayLike, box: ArrayLike, **options: Any
    ) -> Any:
        """The network's answer for the particles of one configuration, in a type of the task's own; so are `options`.

        Raises UserError where data are not of particles.
        """
        raise UserError(f"{trained.path} has learnt {trained.recipe.data.name} data; a model for particles is needed")


AnyTask = Task[Any, Any]  # programs hand keys on without looking at them: each task has its own

task: ClassRegistry[AnyTask] = ClassRegistry("task", "dtrain.tasks")

Opened = TypeVar("Opened", bound=AnyDataSet)
Options = TypeVar("Options", bound=Config)


def open_data(
    world: World, trained: Trained, options: EvaluateOptions, of_split: Callable[[Split | None], Opened]
) -> Opened:
    """The data to be scored, in the parts of the training (`dtrain.origin`); collective.

    `of_split` opens them with the split of the training (None) or another. A file with too few samples for a split is
    one part. Raises UserError for data of another kind than the training's, or a part without samples.
    """
    try:
        data = of_split(None)
    except TooFew as error:
        if options.part != "all":
            file = options.file or trained.options.file
            raise UserError(f"{file}: {error}; part=all scores all of them") from error
        data = of_split(WHOLE)
    trained.origin.require_context(trained.phase, data)
    parts, message = world.on_root(trained.origin.parts_of, trained.phase, data)
    data.parts.clear()
    data.parts.update(parts)
    if message:
        say(world, f"{data.options.file}: {message}")
    return data


def chosen(data: AnyDataSet, part: str, unit: str) -> list[int]:
    """The samples of a part of the data, or of all; raises UserError if there are none."""
    parts = data.parts.values() if part == "all" else [data.parts.get(part, [])]
    found = sorted(number for numbers in parts for number in numbers)
    if not found:
        raise UserError(f"{data.options.file}: no {unit} is in part {part!r}; allowed: another part, or a split")
    return found


def options_in(words: Sequence[str], key: str, of_task: str, base: type[Options]) -> type[Options]:
    """The options, by their name in a task, of the model that a command line names by its first word or as `key`.

    Where there is no such model any keys are taken: the mistake is reported where the model is loaded.
    """
    named = [word.removeprefix(f"{key}=") for word in words if word.startswith(f"{key}=")]
    named += [word for word in words if "=" not in word and not word.startswith("-")]
    if not named:
        return base
    try:
        found: type[Options] = getattr(task.get(read_recipe(runs_at(named[0])[0]).data.name), of_task)
        return found
    except UserError:
        return type(base.__name__, (base,), {"model_config": ConfigDict(extra="allow"), "__doc__": base.__doc__})
