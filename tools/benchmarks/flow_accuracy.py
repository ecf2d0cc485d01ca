"""A network of flow beside the simulation on coarser grids: what a frame costs, and how far each is from a finer grid.

The finest grid of REFINEMENTS stands for the truth. It starts from a frame of the data and goes on for two crossings of
the domain, to be rid of that start. Each rival then continues from one of its frames: coarser grids from its sites,
averaged, at the equilibrium of their density and velocity; the network from the three frames that it needs. A grid that
is too coarse for a case is left out of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dtrain.data.clips import Clips, rollout
from dtrain.data.flow import Flow
from dtrain.flow_metrics import variance_error
from lbmgen.averages import averaged, density_in_cells, fluid_fraction
from lbmgen.block import Block, statistics
from lbmgen.cases import draw_case
from lbmgen.config import RunConfig
from lbmgen.preparation import make_block
from runkit.arrays import F32, F64, Floats
from runkit.config import load
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tools.benchmarks.flow_forms import NetworkForm, make_ready

REFINEMENTS = (1, 2, 4)
BANDS = {"1": (0, 1), "6-12": (5, 12), "13-30": (12, 30)}  # frames, as The Well reports them
N_FRAMES, CROSSINGS = 30, 2.0
HEAD = ("", "frames/s", "core-seconds per frame", *(f"VRMSE, frame {band}" for band in BANDS))


@dataclass
class Grid:
    """A case on a grid with `width` sites per cell; its last frames took `seconds` of processor time."""

    width: int
    every: int
    block: Block
    fraction: F64
    seconds: float = 0.0
    n_frames: int = 1

    @classmethod
    def of(cls, config: RunConfig, case: int, width: int) -> Grid:
        """UserError if the grid cannot hold the case as it was drawn."""
        every = config.frames.every * width // config.grid.refinement
        changed = load(
            RunConfig, None, [config.model_dump(), {"grid": {"refinement": width}}, {"frames": {"every": every}}]
        )
        drawn, wanted = draw_case(changed, case), draw_case(config, case)
        if drawn.reynolds != wanted.reynolds:
            raise UserError(f"case {case} cannot be simulated with {width} sites per cell")
        block = make_block(changed, drawn, SerialWorld())
        return cls(width, every, block, fluid_fraction(block.solid, width))

    def frames(self, n_frames: int) -> F64:
        """The next frames [3, n_frames, x, y] of density and velocity."""
        began = time.process_time()
        found = np.stack([self._frame() for _ in range(n_frames)], axis=1)
        self.seconds, self.n_frames = time.process_time() - began, n_frames
        return found

    def _frame(self) -> F64:
        self.block.advance(np.ones(self.every))
        seen: Any = statistics([self.block], self.width)[0]
        return np.concatenate([density_in_cells(seen.excess, self.fraction)[None], np.moveaxis(seen.velocity, -1, 0)])


def run(forms: Sequence[NetworkForm], data: Flow, n_cases: int) -> None:
    """Print the table of means over held-back cases."""
    config = load(RunConfig, None, [data.dataset.config])
    held_back = (data.cases["test"] or data.cases["train"])[:n_cases]
    rows: dict[str, list[list[float]]] = {}
    for case in held_back:
        for name, row in _case(forms, data, config, case):
            rows.setdefault(name, []).append(row)
    print(f"\nbeside {REFINEMENTS[-1]} sites per cell, means over {len(held_back)} cases\n")
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    for name, found in rows.items():
        seconds, *errors = np.mean(found, axis=0)
        few = f" ({len(found)} cases)" if len(found) < len(held_back) else ""
        print(f"| {name}{few} | {1 / seconds:.3g} | {seconds:.2e} | " + " | ".join(f"{e:.3f}" for e in errors) + " |")


def _case(forms: Sequence[NetworkForm], data: Flow, config: RunConfig, case: int) -> Iterator[tuple[str, list[float]]]:
    """Name, seconds per frame and errors of the truth and of all rivals."""
    finest, coarser = Grid.of(config, case, REFINEMENTS[-1]), []
    for width in REFINEMENTS[:-1]:
        with suppress(UserError):
            coarser.append(Grid.of(config, case, width))
    finest.block.start(*_on_sites(data.frames(case, 0, 1)[:, 0], finest.width))
    finest.frames(round(CROSSINGS * data.dataset.sizes["x"] * finest.width / config.flow.velocity[0] / finest.every))
    given = finest.frames(data.options.frames)
    state = finest.block.moments()
    truth = finest.frames(N_FRAMES)
    fluid = np.all([grid.fraction > 0 for grid in (*coarser, finest)], axis=0) & data.fluid(case)

    def errors(found: F64 | F32) -> list[float]:
        error = variance_error(found, truth, fluid).mean(axis=0)
        return [float(error[first:last].mean()) for first, last in BANDS.values()]

    yield _named(finest), [finest.seconds / finest.n_frames, *errors(truth)]
    for grid in coarser:
        grid.block.start(*(averaged(values, finest.width // grid.width, 2) for values in state))
        found = errors(grid.frames(N_FRAMES))
        yield _named(grid), [grid.seconds / grid.n_frames, *found]
    for name, n_together, network in forms:
        seconds, frames = _predicted(network, data, (case, given), n_together)
        yield f"network, {name}", [seconds, *errors(frames)]


def _named(grid: Grid) -> str:
    return f"simulation, {grid.width} sites per cell"


def _predicted(network: torch.nn.Module, data: Flow, start: tuple[int, F64], n_together: int) -> tuple[float, F32]:
    """Seconds of processor time per frame of a case, and the frames that follow given ones of a case."""
    case, given = start
    fluid = data.fluid(case)
    frames = np.where(fluid, data.normalisation.normalised(given), 0).astype(np.float32)
    clip = replace(data.clip(case, 0, 0), given=torch.from_numpy(frames))
    clips = Clips.stack([clip] * n_together)
    with torch.inference_mode():
        make_ready(network, clips)
        began = time.process_time()
        found = rollout(network, clips, N_FRAMES)[0].numpy()
        seconds = (time.process_time() - began) / (N_FRAMES * n_together)
    return seconds, data.denormalised(found, fluid)


def _on_sites(frame: Floats, width: int) -> tuple[F64, F64]:
    """Density and velocity [x, y] and [x, y, 2] of sites from those of cells [3, x, y]."""
    sites = frame.astype(np.float64).repeat(width, axis=1).repeat(width, axis=2)
    return sites[0], np.moveaxis(sites[1:], 0, -1)
