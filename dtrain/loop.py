"""Training: phases of steps, with validations, curves and checkpoints on the way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import torch
from torch import nn

from dtrain.clock import Clock
from dtrain.compilation import compile_network
from dtrain.config import Recipe
from dtrain.data import AnyDataSet
from dtrain.data import data as data_sets
from dtrain.deepspeed_config import read_config
from dtrain.engine import Engine
from dtrain.estimate import Cost, cost_of
from dtrain.least_squares import Solved, solve
from dtrain.origin import Origin
from dtrain.pace import waiting_in_words
from dtrain.phase import CURVES, PhaseTrainer, State
from dtrain.precision import use_precision
from dtrain.ranks import Ranks
from dtrain.run_folder import RunFolder, folder_of
from dtrain.start import Starts, learnt_before, read_starts, start_from
from dtrain.weights import about_model, build_network, sizes_of
from runkit.efficiency import DATA, TRAINING, Account, counted
from runkit.errors import UserError
from runkit.log import say


def train_run(ranks: Ranks, recipe: Recipe, clock: Clock) -> None:
    """Train one run to its end, or resume it; the run stops early, with a checkpoint, when the time is over."""
    config = read_config(recipe.deepspeed, recipe.batch, ranks, recipe.micro, recipe.optimizer)
    with Account(TRAINING) as account, closing(RunFolder.open(ranks, recipe, config)) as run_folder:
        try:
            if run_folder.is_finished:
                ranks.on_root(run_folder.hold_to_files, {name: recipe.data_in(name).sources for name in recipe.phase})
                say(ranks, f"{run_folder.path}: is finished; weights: {run_folder.model}")
                return
            paces = _train_phases(ranks, recipe, config, run_folder, clock)
            account.report(ranks, f"{run_folder.path}: ")
            if clock.is_over:
                say(ranks, f"{run_folder.path}: stopped: {clock.why}; the same command goes on")
                return
            if ranks.is_root:
                run_folder.finish(about_model(run_folder.model) | {"pace": paces})
            say(ranks, f"{run_folder.path}: finished; weights: {run_folder.model}{waiting_in_words(paces)}")
        except OSError as error:  # the folder has gone, or its disk is full
            raise UserError(f"{run_folder.path}: {error.filename or ''}: {error.strerror or error}") from error


def _train_phases(
    ranks: Ranks, recipe: Recipe, config: dict[str, Any], run_folder: RunFolder, clock: Clock
) -> dict[str, dict[str, float]]:
    """Train the phases that remain; returns the pace of each (see `pace.efficiency_of`) in this job."""
    torch.manual_seed(recipe.seed)
    use_precision(recipe.fp32_precision)
    starts, names = read_starts(recipe), list(recipe.phase)
    data = _ready_data(ranks, recipe, run_folder, learnt_before(starts))
    network = _first_network(recipe, starts, data[names[0]])
    if isinstance(network, Solved):
        phase, one = _only_phase(recipe, data)
        solve(ranks, network, one, f"{run_folder.path} {phase}")
        if ranks.is_root:
            run_folder.keep_model(network.state_dict(), recipe, one, {"phase": phase, "step": 0}, {})
        return {}
    micro_batch = int(config["train_micro_batch_size_per_gpu"])
    costs = {name: _cost(ranks, recipe, name, network, of, micro_batch) for name, of in data.items()}
    if recipe.compile:  # after the costs: a network that has run on shapes alone would not be compiled any more
        say(ranks, "compile = true: the first steps and the first validation compile the network, for minutes each")
        compile_network(network)
    engine = Engine(network, config, ranks, run_folder.checkpoints, recipe.ema)
    paces = {}
    try:
        places = ranks.size * engine.micro_batch
        if idle := -recipe.batch % places:
            say(ranks, f"batch = {recipe.batch}: in the last pass of a step {idle} of {places} places are empty")
        state = _resume(engine, run_folder, ranks)
        while state.phase < len(names) and not clock.is_over:
            name = names[state.phase]
            trainer = PhaseTrainer(ranks, recipe, name, data[name], engine, run_folder)
            state = trainer.train(state, clock)
            paces[name] = trainer.pace(costs[name])
    finally:
        engine.close()
    return paces


@counted(DATA)
def _ready_data(ranks: Ranks, recipe: Recipe, run_folder: RunFolder, learnt: set[str]) -> dict[str, AnyDataSet]:
    """The data of every phase, ready for the first step; collective.

    `learnt` are marks of samples that the network has learnt from before. Raises UserError if a run would be resumed
    with other data than it began with.
    """
    data = open_phases(recipe)
    ranks.on_root(lambda: run_folder.require_origin(Origin.of(data, sorted(learnt))))
    for one in data.values():
        _ = one.normalisation  # read now: that of a later phase may be undefined
        one.prepare(ranks)
    return data


def _first_network(recipe: Recipe, starts: Starts, data: AnyDataSet) -> nn.Module:
    """The network with the weights that it has before the first step; `data` are those of the first phase."""
    network = build_network(recipe, data.sizes)
    if not isinstance(network, Solved):
        start_from(network, recipe, starts, data.normalisation)
    return network


def _only_phase(recipe: Recipe, data: Mapping[str, AnyDataSet]) -> tuple[str, AnyDataSet]:
    """The phase of a network that is solved, and its data; UserError for keys that mean nothing to it."""
    (phase, one), *others = data.items()
    if others:
        raise UserError(f"phase: model.name = {recipe.model.name!r} is solved in one phase, not {len(data)}")
    given = {"initial": recipe.initial, "model.start": recipe.model.start, "model.frozen": recipe.model.frozen}
    if useless := [key for key, value in given.items() if value]:
        raise UserError(f"{useless[0]}: model.name = {recipe.model.name!r} is solved, from nothing; leave it away")
    return phase, one


def _cost(
    ranks: Ranks, recipe: Recipe, name: str, network: nn.Module, data: AnyDataSet, micro_batch: int
) -> Cost | None:
    """The cost of a sample of a phase, printed before the first step; None on all ranks but root."""
    cost = cost_of(network, data, recipe.loss_in(name), recipe.ema) if ranks.is_root else None
    if cost is not None:
        say(ranks, f"{folder_of(recipe)} {name}: {cost.in_words(micro_batch)}")
    return cost


def open_phases(recipe: Recipe) -> dict[str, AnyDataSet]:
    """The data of every phase, by its name, all of them before the first phase takes hours.

    Raises UserError for data that a phase cannot learn from, or not with the network of the first one.
    """
    data = {name: data_sets.get(recipe.data.name)(recipe.data_in(name), seed=recipe.seed) for name in recipe.phase}
    first = sizes_of(recipe, next(iter(data.values())).sizes)
    for name, one in data.items():
        try:
            one.require(recipe.loss_in(name))
            if not one.split["train"]:
                raise UserError(f"{one.options.file}: no sample is left for training; change data.split")
        except UserError as error:
            raise UserError(f"phase {name}: {error}") from error
        for size, found in sizes_of(recipe, one.sizes).items():
            if found != first[size]:
                message = f"the network's {size} is {first[size]} in the first phase, and would be {found}"
                raise UserError(f"phase.{name}.data: {message}; all phases train one network")
    return data


def _resume(engine: Engine, run_folder: RunFolder, ranks: Ranks) -> State:
    saved = engine.load()
    curves = saved.pop("curves", {}) if saved else {}  # older checkpoints have none
    state = State(**saved) if saved else State()
    if ranks.is_root:
        for name, text in curves.items():
            run_folder.curve(name).restore(text)
        for name in CURVES:
            run_folder.curve(name).cut(state.step)
    if saved:
        say(ranks, f"{run_folder.path}: goes on after step {state.step}")
    return state
