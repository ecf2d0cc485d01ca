"""The examples that show how to add a part are complete: their files register, pass the type checker and run.

Each block of the guides that begins with the name of a file is that file. Here they come as a package of somebody else,
with the same text, so that the project's own folders, and compiled kernels, stay as they are.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, clean_environment
from tests.packages import write_metadata

GUIDES = ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs/howto/parts").glob("*.md"))
BLOCK = re.compile(r"^```(python|bash|toml)\n(?:# (\S+\.(?:py|toml))\n)?(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = {guide: BLOCK.findall(guide.read_text()) for guide in GUIDES}
FILES = {Path(name): text for blocks in BLOCKS.values() for _, name, text in blocks if name}
PROGRAMS = {guide.stem: [each for each in blocks if not each[1]] for guide, blocks in BLOCKS.items()}
GOES_ON = {"task": "data_set"}  # a page whose commands come after those of another one
PAGES = sorted(page for page, programs in PROGRAMS.items() if programs and page not in GOES_ON.values())
PACKAGE = "added_parts"


def module_of(path: Path) -> str:
    """Where a file of the guides lies here: mdgen/potentials/x.py is added_parts.mdgen_potentials.x."""
    return f"{PACKAGE}.{'_'.join(path.parent.parts)}.{path.stem}"


def moved(text: str) -> str:
    """Python that imports the files of the guides from where they lie here."""
    for path in FILES:
        ours = ".".join(path.with_suffix("").parts)
        text = text.replace(f"from {ours} import", f"from {module_of(path)} import")
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that looks to a reader like the project's, with the files of the guides, and `site` for the parts."""
    place = tmp_path_factory.mktemp("project")
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in ("runs", "data", "site"):
            (place / path.name).symlink_to(path)
    for path, text in FILES.items():
        if path.suffix == ".toml":
            (place / path).write_text(text)
            continue
        target = place / "site" / Path(*module_of(path).split(".")).with_suffix(".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(moved(text))
    parts = [path for path in FILES if path.suffix == ".py"]
    entries = {".".join(path.parent.parts): module_of(path).rpartition(".")[0] for path in parts}
    write_metadata(place / "site", PACKAGE, entries)
    return place


def done_in(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """A command of a reader, where the parts are installed."""
    environment = clean_environment() | {
        "DS_ACCELERATOR": "cpu",
        "MYPYPATH": str(ROOT),
        "PYTEST_ADDOPTS": "--timeout=540",
    }
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment["PYTHONPATH"] = os.pathsep.join([str(folder / "site"), str(folder), environment["PYTHONPATH"]])
    return subprocess.run(
        [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, timeout=570
    )


def test_every_kind_of_part_has_a_page_with_an_example():
    table = (ROOT / "docs/howto/add_a_part.md").read_text()
    told = dict(re.findall(r"^\| \[[^]]+\]\(parts/(\w+)\.md\) \| `([\w/]+)/`", table, re.MULTILINE))
    assert {*told} == {guide.stem for guide in GUIDES[1:]} and len(told) == 10
    assert {*told.values()} == {path.parent.as_posix() for path in FILES if path.suffix == ".py"}
    assert not any((ROOT / path).exists() for path in FILES)


def test_the_type_checker_accepts_every_example(folder):
    options = ["--config-file", ROOT / "setup.cfg", "--cache-dir", ROOT / ".mypy_cache", "--no-color-output"]
    found = done_in(folder / "site", sys.executable, "-m", "mypy", *options, PACKAGE)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES)
def test_every_program_of_a_page_runs(page, folder):
    programs = [*PROGRAMS.get(GOES_ON.get(page, ""), ()), *PROGRAMS[page]]
    for language, _, program in programs:
        command = [sys.executable, "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
        done = done_in(folder, *command, moved(program))
        assert done.returncode == 0, f"{program}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
