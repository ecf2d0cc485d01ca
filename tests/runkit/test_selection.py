"""Selections as boxes and contiguous runs."""

from __future__ import annotations

import numpy as np
import pytest

from runkit.dataset.selection import box, in_words, runs

ALL = slice(None)
INDICES = [(), 1, (1,), (ALL, 2), (1, ALL, 0), (slice(1, 3), ALL, slice(0, 2)), (slice(2, 2),), (0, 1, 2, 3), (ALL, -1)]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_runs_reach_the_elements_that_numpy_selects_in_the_same_order(index):
    array = np.arange(4 * 3 * 5 * 4).reshape(4, 3, 5, 4)
    if index == (ALL, -1):
        with pytest.raises(IndexError, match="index -1 is outside 0 to 2"):
            box(array.shape, index)
        return
    slices, shape = box(array.shape, index)
    reached = [element for first, length in runs(array.shape, slices) for element in range(first, first + length)]
    assert reached == array[index].reshape(-1).tolist() and shape == array[index].shape


def test_a_scalar_is_one_run():
    assert list(runs((), box((), ())[0])) == [(0, 1)]


def test_runs_are_as_long_as_they_can_be():
    slices, _ = box((4, 3, 5), (slice(1, 3),))
    assert list(runs((4, 3, 5), slices)) == [(15, 30)]


@pytest.mark.parametrize("index", [(0, 0, 0, 0), 4, (0, slice(0, 3, 2))])
def test_what_does_not_fit_is_an_index_error(index):
    with pytest.raises(IndexError):
        box((4, 3, 5), index)


def test_selections_are_told_as_they_are_written():
    assert in_words("position", (3, ALL, slice(1, 2))) == "position[3, :, 1:2]"
    assert in_words("time", ()) == "time" and in_words("time", 2) == "time[2]"
