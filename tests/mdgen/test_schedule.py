"""Blocks of steps: snapshots on their times, ramps that end where they should."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mdgen.config import Initial
from mdgen.schedule import BLOCK_STEPS, cooling_blocks, production_blocks


@pytest.mark.parametrize("times", [(0.13, 1.3, 13.0), (0.108, 0.434, 2.17), (0.0001,), (7.0, 7.001)])
def test_snapshots_fall_on_their_times_with_steps_no_longer_than_dt(times):
    """The time that has passed at every snapshot is the listed one, to rounding."""
    clock, reached = 0.0, []
    for block in production_blocks(times, dt=0.005):
        assert block.dt <= 0.005 * (1 + 1e-9) and 0 < block.n_steps <= BLOCK_STEPS
        clock += block.n_steps * block.dt
        if block.snapshot is not None:
            assert block.snapshot == len(reached)
            reached.append(clock)
    np.testing.assert_allclose(reached, times, rtol=1e-12)


def test_times_that_are_multiples_of_dt_keep_dt():
    """0.13 is 26 steps of 0.005, nothing else."""
    (block,) = production_blocks((0.13,), dt=0.005)
    assert (block.n_steps, block.dt) == (26, pytest.approx(0.005, rel=1e-12))


def test_cooling_ends_at_the_temperature_and_takes_the_time_that_was_asked():
    """Melt, ramp and hold: the temperature never rises and the steps add up."""
    initial = Initial(temperature=3.0, melt_time=2.0, cooling_time=7.5, hold_time=10.0)
    blocks = cooling_blocks(initial, 0.5, dt=0.005)
    temperatures = [block.temperature for block in blocks]
    assert temperatures[0] == 3.0 and temperatures[-1] == 0.5
    assert all(a >= b for a, b in pairwise(temperatures))
    assert sum(block.n_steps for block in blocks) == round(19.5 / 0.005)
    assert temperatures.count(0.5) == 3  # the last of the ramp, two blocks of hold
