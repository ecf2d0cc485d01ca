"""Programs say what the page of troubles shows that they say, word for word."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mdgen.config import RunConfig
from mdgen.run import generate
from runkit.mpi import SerialWorld
from tests.conftest import ROOT, clean_environment

PAGE = (ROOT / "docs" / "howto" / "troubleshooting.md").read_text()
SHOWN = re.findall(r"^```console\n\$ (python .*)\n(error: .*)\n```$", PAGE, re.MULTILINE)
# Messages within sentences and tables; numbers, and what names a key, differ from run to run.
QUOTED = [
    said for said in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)) if said.count(" ") > 2
]
QUOTED = [said for said in QUOTED if not said.startswith("python ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the project's, with a file of the default configuration but for its size."""
    folder = tmp_path_factory.mktemp("troubles")
    (folder / "data").mkdir()
    for name in ("dtrain", "tools"):
        (folder / name).symlink_to(ROOT / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        generate(SerialWorld(), RunConfig.model_validate(DEFAULTS))
    return folder


DEFAULTS = {
    "output": "data/first.h5",
    "system": {"n_particles": 200},
    "initial": {"melt_time": 0.1, "cooling_time": 0.1, "hold_time": 0.1},
    "production": {"n_samples": 2, "n_replicas": 2, "times": (0.1, 0.2)},
}
SAME = ("system.n_particles=200", "initial.melt_time=0.1", "initial.cooling_time=0.1", "initial.hold_time=0.1")
SAME += ("production.n_replicas=2", "production.times=[0.1, 0.2]")


def test_the_page_shows_commands():
    assert len(SHOWN) >= 10 and PAGE.count("```console") == len(SHOWN)


def test_messages_that_the_page_quotes_are_those_of_the_code():
    files = (path for package in ("runkit", "mdgen", "lbmgen", "dtrain") for path in (ROOT / package).rglob("*.py"))
    code = "\n".join(path.read_text() for path in files)
    pieces = [piece.strip() for said in QUOTED for piece in re.split(r"\d+|^\w+ = \w+: ", said)]
    assert len(QUOTED) >= 6 and not [piece for piece in pieces if piece not in code]


@pytest.mark.parametrize(("command", "told"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_trouble_is_told_as_the_page_shows(folder, command, told):
    _, *words = shlex.split(command)
    if "was made with another configuration" in told:  # beside the keys that the page is about
        words += SAME
    environment = clean_environment() | {"CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu", "COLUMNS": "100"}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.splitlines()[-1] == told
