"""A frame of flow by a trained network and by the simulation that it has learnt from, in turns on one core.

The network continues held-back cases one at a time, then together; the simulation goes on with one case at the grid,
precision and steps per frame that made the data, and averages its sites to cells, without writing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import torch

from dtrain.checkpoint import load_model
from dtrain.data.clips import Clips, rollout
from dtrain.data.flow import Flow
from lbmgen.block import look
from lbmgen.cases import draw_all
from lbmgen.config import Case
from lbmgen.frames import density_in_cells, fluid_fraction
from lbmgen.simulation import make_block
from runkit.config import load
from runkit.errors import UserError
from runkit.mpi import SerialWorld

TOGETHER = 16  # cases


def add_arguments(parser) -> None:
    parser.add_argument("run", help="folder of a trained network of flow, such as runs/flow_cnn")
    parser.add_argument("--frames", type=int, default=12, help="frames of a measurement")
    parser.add_argument("--turns", type=int, default=5)


def run(arguments) -> None:
    """Measure in turns and print milliseconds per frame and case, and how many times faster the network is."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    torch.set_num_threads(1)
    trained = load_model(arguments.run)
    if trained.recipe.data.name != "flow":
        raise UserError(f"{arguments.run}: a network of {trained.recipe.data.name}, not of flow")
    data = Flow(trained.options, trained.recipe.seed, trained.normalisation)
    simulate, about = _simulation(data)
    forms = {f"{n} at once": _network(trained.network, data, n) for n in (1, TOGETHER)}
    rows = []
    for _ in range(arguments.turns):
        theirs = _milliseconds(simulate, arguments.frames)
        rows.append([theirs, *(_milliseconds(form, arguments.frames) for form in forms.values())])
    simulated, *ours = np.array(rows).T
    print(f"{about}; one core, {torch.get_num_threads()} thread\n")
    print("| network | ms per frame | simulation, ms per frame | times faster (range) |\n|---|---|---|---|")
    for name, each in zip(forms, ours, strict=True):
        ratio = simulated / each
        print(
            f"| {name} | {np.median(each):.2f} | {np.median(simulated):.2f} | "
            f"{np.median(ratio):.1f} ({ratio.min():.1f}-{ratio.max():.1f}) |"
        )


def _network(network: torch.nn.Module, data: Flow, n_cases: int) -> Callable[[int], int]:
    """A function that rolls out so many frames of `n_cases` cases and returns how many frames these are."""
    held_back = data.cases["test"] or data.cases["train"]
    chosen = [held_back[k % len(held_back)] for k in range(n_cases)]
    clips = Clips.stack([data.clip(case, 0, 0) for case in chosen])

    @torch.inference_mode()
    def roll_out(n_frames: int) -> int:
        rollout(network, clips, n_frames)
        return n_frames * n_cases

    return roll_out


def _simulation(data: Flow) -> tuple[Callable[[int], int], str]:
    """A function that simulates so many frames of the first case of the data, and what it simulates."""
    case = load(Case, None, [data.dataset.config])
    flow = draw_all(case)[0]
    block = make_block(case, flow, SerialWorld())
    block.start(np.ones(block.shape), np.zeros((*block.shape, len(block.shape))))
    width, fraction = case.grid.refinement, fluid_fraction(block.solid, case.grid.refinement)

    def simulate(n_frames: int) -> int:
        for _ in range(n_frames):
            block.advance(np.ones(case.frames.every))
            density_in_cells(look([block], width)[0].excess, fraction)
        return n_frames

    simulate(1)
    sites = " x ".join(map(str, flow.shape))
    return simulate, f"{sites} sites, {case.grid.refinement} per cell, {case.frames.every} steps per frame"


def _milliseconds(form: Callable[[int], int], n_frames: int) -> float:
    """Processor time per frame."""
    began = time.process_time()
    done = form(n_frames)
    return 1e3 * (time.process_time() - began) / done
