"""Grids of the benchmark that holds a network of flow against coarser simulations."""

from __future__ import annotations

import numpy as np
import pytest

from lbmgen.config import RunConfig
from runkit.config import load
from runkit.errors import UserError
from tools.benchmarks.flow_accuracy import Grid, _on_sites

CONFIG = load(
    RunConfig, None, ["grid.cells=[56,40]", "grid.refinement=2", "obstacles.diameter=[8,8]", "frames.every=4"]
)


@pytest.fixture(scope="module")
def grids() -> list[Grid]:
    """The same case with one and with two sites per cell, at rest but for a stream along x."""
    found = [Grid.of(CONFIG, 1, width) for width in (1, 2)]
    for grid in found:
        cells = np.stack([np.ones((56, 40)), np.full((56, 40), 0.05), np.zeros((56, 40))])
        grid.block.start(*_on_sites(cells, grid.width))
    return found


def test_a_frame_is_the_same_time_on_every_grid_and_shows_the_same_flow(grids):
    """Two steps of one site per cell are four of two; the flow has hardly changed, but is at rest in the body."""
    assert [grid.every for grid in grids] == [2, 4]
    coarse, fine = (grid.frames(2) for grid in grids)
    assert coarse.shape == fine.shape == (3, 2, 56, 40)
    fluid = (grids[0].fraction == 1) & (grids[1].fraction == 1)
    assert 0.8 < fluid.mean() < 1.0
    assert np.abs(coarse - fine)[..., fluid].max() < 0.05 and np.median(coarse[1, :, fluid]) == pytest.approx(
        0.05, rel=0.02
    )
    assert not coarse[1:][..., grids[0].fraction == 0].any()
    assert all(grid.seconds > 0 and grid.n_frames == 2 for grid in grids)


def test_a_grid_that_cannot_hold_the_case_as_drawn_is_refused():
    with pytest.raises(UserError):
        Grid.of(CONFIG.model_copy(update={"flow": CONFIG.flow.model_copy(update={"reynolds": (900.0, 1000.0)})}), 1, 1)
