"""The file of a module's `run` from one rank, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Mpiexec


@pytest.fixture(scope="module")
def alone(request, tmp_path_factory) -> Iterator[Path]:
    """The file of the module's case from one rank."""
    launcher = Mpiexec(tmp_path_factory.mktemp("alone"))
    yield request.module.run(launcher, 1, "alone")
    launcher.close()
