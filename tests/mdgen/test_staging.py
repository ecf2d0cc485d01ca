"""Arrays that leave a GPU while it goes on."""

from __future__ import annotations

import numpy as np
import pytest

from mdgen.staging import StagingBuffers
from tests.shim import StandIn


def test_what_is_sent_is_what_was_there_whatever_comes_after():
    """Also what is not contiguous; twice over the same buffers."""
    arrays = [np.arange(12.0).reshape(2, 6)[:, ::2], np.arange(3, dtype=np.int32)]
    staging = StagingBuffers(StandIn(), arrays)
    for _ in range(2):
        wanted = [array.copy() for array in arrays]
        receive = staging.send(arrays)
        for array in arrays:
            array += 1
        for sent, array in zip(receive(), wanted, strict=True):
            assert sent.dtype == array.dtype and np.array_equal(sent, array)


def test_the_next_sending_takes_the_place_of_the_last_one():
    """Nobody looked at that, and nobody can any more."""
    array = np.zeros(4)
    staging = StagingBuffers(StandIn(), [array])
    first = staging.send([array])
    second = staging.send([array + 1])
    assert list(second()[0]) == [1] * 4
    with pytest.raises(RuntimeError, match="replaced"):
        first()
