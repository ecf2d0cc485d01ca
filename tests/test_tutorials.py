"""What tutorials and how-to pages tell a reader to type works as it stands there, block after block."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_add_a_part import GUIDES

BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)  # ```console shows what needs a cluster
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
HOW_TO = sorted({*(ROOT / "docs" / "howto").glob("*.md")} - {*GUIDES})  # those are run with the parts that they add
PAGES = [*TUTORIALS, *(path for path in HOW_TO if BLOCK.search(path.read_text()))]
OF_THE_PROJECT = "dtrain", "jobs", "tools"


@pytest.fixture
def folder(tmp_path):
    """A folder that looks to a reader like the project's."""
    for name in OF_THE_PROJECT:
        source = ROOT / name
        if name == "jobs":  # a site.env is written into it
            (tmp_path / name).mkdir()
            for path in source.iterdir():
                if path.name != "site.env":
                    (tmp_path / name / path.name).symlink_to(path)
        else:
            (tmp_path / name).symlink_to(source)
    return tmp_path


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_block_of_a_page_runs(page, folder):
    blocks = BLOCK.findall(page.read_text())
    assert blocks
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    for language, text in blocks:
        command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
