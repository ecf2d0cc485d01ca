"""Random streams: the same everywhere, different for different names."""

from __future__ import annotations

import numpy as np
import pytest

from runkit.errors import UserError
from runkit.rng import stream

GOLDEN = [3315202895, 1121486470, 2100104378]


def test_a_stream_gives_these_numbers_on_every_machine():
    assert stream(1, "velocity", 3, 0).integers(0, 2**32, 3).tolist() == GOLDEN
    np.testing.assert_array_equal(stream(np.int64(1), "velocity", np.int32(3), 0).integers(0, 2**32, 3), GOLDEN)


def test_different_names_give_different_streams():
    names = [(1,), (2,), (1, 2), (12,), (1, "2"), (1, "velocity"), (1, "velocity", 0), (1, 1, 23), (1, 12, 3), (-1,)]
    firsts = {int(stream(*name).integers(0, 2**63)) for name in names}
    assert len(firsts) == len(names)


def test_streams_of_neighbouring_names_are_uncorrelated():
    numbers = np.array([stream(0, i).standard_normal(2000) for i in range(20)])
    correlation = np.corrcoef(numbers) - np.eye(20)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(2000)


@pytest.mark.parametrize("part", [1.5, None, True, (1,)])
def test_other_parts_of_a_name_are_refused(part):
    with pytest.raises(UserError, match="whole numbers can"):
        stream(1, part)
