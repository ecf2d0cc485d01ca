"""Services for tests: hosts in namespaces, a Slurm on them, and the project as a user has it in a home folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment
from tests.services import cluster, slurm
from tests.services.cluster import Cluster
from tests.services.slurm import Slurm


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder with a short name: the path of a socket has room for 108 letters."""
    folder = Path(tempfile.mkdtemp(prefix="services-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def services(scratch: Path) -> Iterator[Slurm]:
    """A Slurm of three nodes."""
    if lacking := cluster.missing() or slurm.missing():
        pytest.skip(f"no Slurm of its own here: {lacking}")
    os.environ.update(clean_environment())
    hosts = Cluster(scratch, ("n1", "n2", "n3"))
    try:
        yield Slurm(hosts)
    finally:
        hosts.close()


@pytest.fixture(scope="module")
def project(scratch: Path) -> Path:
    """The project in a folder of its own, so that nothing is left in this one."""
    folder = scratch / "project"
    folder.mkdir()
    for name in ("jobs", "runkit", "mdgen", "lbmgen", "dtrain", "tools"):
        (folder / name).symlink_to(ROOT / name)
    return folder
