"""Flow: rollouts of held-back cases beside those of persistence and of the mean field, frame by frame.

Units: lattice units of the simulated grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dtrain.compilation import compile_frozen
from dtrain.data.flow import Flow
from dtrain.data.flow_options import Outside
from dtrain.data.split import Split
from dtrain.flow.evaluation import Evaluation
from dtrain.flow.long import LongRollouts
from dtrain.flow.long_report import write_long
from dtrain.flow.report import report
from dtrain.flow.rollouts import CasePredictor, Rollout, side_by_side, write_rollouts
from dtrain.precision import Products, computing_in
from dtrain.tasks import WHOLE, EvaluateOptions, PredictOptions, Task, chosen, open_data, task
from dtrain.weights import Trained
from runkit.errors import UserError
from runkit.log import say
from runkit.mpi import World
from runkit.progress import Progress

Precision = Annotated[
    Products,
    Field(description="products of the network; bfloat16: faster on a CPU or GPU that has it, with errors of 1 in 300"),
]

Compiled = Annotated[
    bool,
    Field(description="torch.compile: ten seconds or so for each number of cases at once, then less time per frame"),
]


class FlowEvaluate(EvaluateOptions):
    """Scores of a trained network on rollouts of held-back cases, beside persistence and the mean field."""

    part: Literal["test", "validation", "train", "outside", "new", "all"] = Field(
        "test", description="which cases are scored; new: those outside the split of the training"
    )
    start: int = Field(0, ge=0, description="first frame that is given")
    frames: int = Field(0, ge=0, description="frames that are rolled out; 0: to the end of the file")
    long: int = Field(
        0,
        ge=0,
        le=10**8,
        description="frames of a rollout beyond the file, whose statistics stand beside the file's; 0: none",
    )
    precision: Precision = "float32"
    compile: Compiled = False


class FlowPredict(PredictOptions):
    """Rollouts of a trained network from the first frames of every case of a FLOW file, into HDF5."""

    start: int = Field(0, ge=0, description="first frame that is given")
    frames: int = Field(
        0, ge=0, le=100_000, description="frames that are rolled out, also beyond the file; 0: to the end of the file"
    )
    precision: Precision = "float32"
    compile: Compiled = False


@task("flow")
class FlowTask(Task[FlowEvaluate, FlowPredict]):
    """Rollouts of a network of flow."""

    Evaluate, Predict = FlowEvaluate, FlowPredict
    Data: ClassVar[type[Flow]] = Flow

    @classmethod
    def evaluate(cls, world: World, trained: Trained, options: FlowEvaluate, folder: Path) -> dict[str, float]:
        trained = _in_use(trained, options)
        data = open_data(world, trained, options, partial(_open, cls.Data, trained, options.file))
        cases = chosen(data, options.part, "case")
        n_frames = _length(data, options.start, options.frames, must_be_known=True)
        evaluation = Evaluation(world, trained, data, (cases, options.start, n_frames))
        about = _about(trained, str(trained.path), data.options.file, options)
        write_rollouts(world, folder / "evaluation.h5", data, evaluation.which, evaluation.rollouts(), about)
        rows = evaluation.rows()
        of_all = {**evaluation.about(str(trained.path), options.part), **_arithmetic(options)}
        world.on_root(report, folder, of_all, rows)
        return {**rows[0].mean, **(_go_on(world, trained, data, (cases, options), folder) if options.long else {})}

    @classmethod
    def predict(cls, world: World, trained: Trained, options: FlowPredict, path: Path) -> None:
        trained = _in_use(trained, options)
        data = _open(cls.Data, trained, options.file, WHOLE)
        trained.origin.require_context(trained.phase, data)
        cases = data.cases["train"]
        which = cases, options.start, _length(data, options.start, options.frames)
        predictor, groups = CasePredictor(trained, data), side_by_side(data, cases, which[2], trained.device)
        mine = [groups[i] for i in world.share(len(groups))]
        about = _about(trained, options.model, options.file, options)
        with Progress(world, sum(map(len, mine)), "cases", "predict") as progress:

            def rollouts() -> Iterator[Rollout]:
                for group in mine:
                    yield from zip(group, predictor.together(group, *which[1:]), strict=True)
                    progress.advance(len(group))

            write_rollouts(world, path, data, which, rollouts(), about)
        say(world, f"wrote {path}: {len(cases)} cases, {which[2]} frames each")


def _in_use(trained: Trained, options: FlowEvaluate | FlowPredict) -> Trained:
    """Its network in the arithmetic that is asked for, compiled if wanted; UserError for one of graphs."""
    network = computing_in(options.precision, trained.network)
    if options.compile:
        if any(getattr(one, "dynamic", False) for one in trained.network.modules()):
            name = trained.recipe.model.name
            raise UserError(
                f"compile = true: {name} sees another graph in each case, for each of which it would be "
                "compiled anew; leave it out"
            )
        compile_frozen(network)
    return replace(trained, network=network)


def _arithmetic(options: FlowEvaluate | FlowPredict) -> dict[str, Any]:
    return {"precision": options.precision, "compile": options.compile}


def _about(trained: Trained, model: str, file: str, options: FlowEvaluate | FlowPredict) -> dict[str, Any]:
    """What a file of rollouts says of where they come from."""
    config = trained.recipe.model_dump(mode="json")
    return {"config": config, "model": model, "dataset": file, **_arithmetic(options)}


def _go_on(
    world: World, trained: Trained, data: Flow, which: tuple[Sequence[int], FlowEvaluate], folder: Path
) -> dict[str, float]:
    """Rollouts without end of some cases, and what they leave; collective."""
    cases, options = which
    found = LongRollouts(trained, data, cases, options.start).run(world, options.long)
    about = {
        "model": str(trained.path),
        "file": data.options.file,
        "part": options.part,
        **_arithmetic(options),
        "n_frames": options.long,
        "n_simulated": data.n_frames - options.start - data.options.frames,
        "interval": data.interval,
    }
    return world.on_root(write_long, folder, about, found)


def _open(kind: type[Flow], trained: Trained, file: str, split: Split | None = None) -> Flow:
    """The data as the network was trained on it, or another file; WHOLE leaves no case out."""
    changes: dict[str, Any] = {"file": file or trained.options.file}
    if split is not None:
        changes |= {"split": split, "outside": Outside()}
    return kind(trained.options_as(kind.Options).model_copy(update=changes), trained.recipe.seed, trained.normalisation)


def _length(data: Flow, start: int, n_frames: int, must_be_known: bool = False) -> int:
    """Frames to be rolled out, those of the file by default; UserError if frames that are needed are not there."""
    begin = start + data.options.frames
    if begin > data.n_frames:
        raise UserError(f"start = {start}: {data.options.file} has {data.n_frames} frames, and {begin} are needed")
    rest = data.n_frames - begin
    if (must_be_known and n_frames > rest) or not (n_frames or rest):
        raise UserError(f"frames = {n_frames}: {rest} frames follow those that are given in {data.options.file}")
    return n_frames or rest
