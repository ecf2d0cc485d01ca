"""A frame of flow by a trained network and by the simulation: frames per second of a core's processor time."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from dtrain.data.clips import Clips, rollout
from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.weights import load_model
from lbmgen.config import RunConfig
from runkit.arrays import Floats
from runkit.config import load
from runkit.errors import UserError
from tools.benchmarks import flow_accuracy
from tools.benchmarks.flow_accuracy import Grid
from tools.benchmarks.flow_forms import TOGETHER, NetworkForm, forms_of, make_ready
from tools.benchmarks.table import Row, show

Form = Callable[[int], int]  # makes so many frames, returns of how many cases and frames


def run(arguments) -> None:
    """Measure in turns and print the table; the peer is the simulation."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    torch.set_num_threads(1)
    trained = load_model(arguments.run)
    if trained.recipe.data.name != "flow":
        raise UserError(f"{arguments.run}: a network of {trained.recipe.data.name}, not of flow")
    data = Flow(trained.options_as(FlowOptions), trained.recipe.seed, trained.normalisation)
    simulate, about = _simulation(data)
    print(f"{about}; one core\n")
    forms = list(forms_of(trained.network))
    show(_rows(arguments, forms, data, simulate), "frames/s", "simulation")
    if getattr(trained.network, "spreads", None) is not None:
        print()
        show([_projection(arguments, trained.network, data)], "frames/s", "not projected")
    if arguments.accuracy:
        flow_accuracy.run(forms, data, arguments.accuracy)


def _rows(arguments, forms: Sequence[NetworkForm], data: Flow, simulate: Form) -> Iterator[Row]:
    simulated, *found = _in_turns(arguments, [simulate, *(_network(one, data, n) for _, n, one in forms)])
    for (name, *_), rates in zip(forms, found, strict=True):
        yield Row(name, rates, simulated)


def _projection(arguments, network: torch.nn.Module, data: Flow) -> Row:
    """What it costs to project what a network gives on velocities without divergence."""
    plain = copy.deepcopy(network)
    setattr(plain, "spreads", None)  # noqa: B010  (of the module, whatever its class)
    forms = [_network(one, data, TOGETHER) for one in (plain, network)]
    without, projected = _in_turns(arguments, forms)
    return Row(f"{TOGETHER} cases at once, projected", projected, without, target="0.90")


def _network(network: torch.nn.Module, data: Flow, n_cases: int) -> Form:
    """A function that rolls out so many frames of `n_cases` cases and returns how many frames these are."""
    held_back = data.cases["test"] or data.cases["train"]
    chosen = [held_back[k % len(held_back)] for k in range(n_cases)]
    clips = Clips.stack([data.clip(case, 0, 0) for case in chosen])
    make_ready(network, clips)

    @torch.inference_mode()
    def roll_out(n_frames: int) -> int:
        rollout(network, clips, n_frames)
        return n_frames * n_cases

    return roll_out


def _simulation(data: Flow) -> tuple[Form, str]:
    """A function that simulates so many frames of the first case of the data, and what it simulates."""
    config = load(RunConfig, None, [data.dataset.config])
    grid = Grid.of(config, 0, config.grid.refinement)
    shape = grid.block.shape
    grid.block.start(np.ones(shape), np.zeros((*shape, len(shape))))

    def simulate(n_frames: int) -> int:
        grid.frames(n_frames)
        return n_frames

    simulate(1)
    sites = " x ".join(map(str, shape))
    return simulate, f"{sites} sites, {config.grid.refinement} per cell, {config.frames.every} steps per frame"


def _in_turns(arguments, forms: Sequence[Form]) -> Floats:
    """Rates [form, turn]."""
    return np.array([[_rate(form, arguments.frames) for form in forms] for _ in range(arguments.turns)]).T


def _rate(form: Form, n_frames: int) -> float:
    """Frames per second of processor time."""
    began = time.process_time()
    done = form(n_frames)
    return done / (time.process_time() - began)
