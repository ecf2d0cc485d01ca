"""What needs a real GPU skips itself where there is none, and says why."""

from __future__ import annotations

import pytest

from runkit import device


@pytest.fixture(scope="session")
def gpu():
    """The first GPU of this machine."""
    try:
        device._count()
        return device.Gpu(0)
    except device.NoGpu as reason:
        pytest.skip(f"not run on a GPU: {reason}")
