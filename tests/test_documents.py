"""What documents link to is there, and the commands that they show name programs, files and keys that exist.

Blocks of tutorials are run (test_tutorials.py); these commands need a cluster, or hours.
"""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from dtrain.config import DEFAULT_RECIPE, load_recipe
from lbmgen.config import RunConfig as FlowConfig
from mdgen.config import RunConfig as GlassConfig
from runkit.config import load
from tests.conftest import ROOT

DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "jobs").glob("*.md")})
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(?:bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OF_THE_PROJECT = ("dtrain/", "examples/", "jobs/", "tools/")
LOADS = {"mdgen": partial(load, GlassConfig), "lbmgen": partial(load, FlowConfig), "dtrain/train.py": load_recipe}
NOT_YET = re.compile(r"[{}*…]|\byour[-_]|\.\.\.|\bNAME\b|site\.env$")  # the reader's own, or many


def commands(path: Path) -> list[list[str]]:
    """Words of each command of a document, without what a shell does with it."""
    found = []
    for block in BLOCK.findall(path.read_text()):
        joined = block.replace("\\\n", " ")
        for line in joined.splitlines():
            try:
                words = shlex.split(line.removeprefix("$ "), comments=True)
            except ValueError:  # a here-document of another language
                continue
            if words:
                found.append(words)
    return found


SHOWN = [
    pytest.param(words, id=f"{path.relative_to(ROOT)}: {' '.join(words)}"[:90])
    for path in DOCUMENTS
    for words in commands(path)
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_links_to_is_there(path):
    for link in LINK.findall(path.read_text()):
        place, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (path.parent / place) if place else path
        assert target.exists(), f"{path.name}: {link}"
        if anchor and target.suffix == ".md":
            heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}, link


@pytest.mark.parametrize("words", SHOWN)
def test_a_command_that_a_document_shows_names_what_exists(words):
    for flag, module in pairwise(words):
        if flag == "-m" and module.isidentifier() | ("." in module):
            assert find_spec(module.partition(".")[0]) is None or find_spec(module), module
    for word in words:
        if word.startswith(OF_THE_PROJECT) and not NOT_YET.search(word):
            assert (ROOT / word).exists(), word


RUN_AS_THEY_STAND = re.compile("troubleshooting|howto/parts")  # by tests of their own
RUNS = [one for one in SHOWN if {*LOADS} & {*one.values[0]} and not RUN_AS_THEY_STAND.search(str(one.id))]


@pytest.mark.parametrize("words", RUNS)
def test_the_settings_that_a_document_shows_are_valid(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    program = next(word for word in words if word in LOADS)
    rest = words[words.index(program) + 1 :]
    rest = rest[: next((i for i, word in enumerate(rest) if word in (";", "&&", "|", ">", "&")), len(rest))]
    settings = [word for word in rest if "=" in word and not NOT_YET.search(word)]
    files = [word for word in rest if word.endswith(".toml") and not NOT_YET.search(word)]
    default = DEFAULT_RECIPE if program.startswith("dtrain") else None
    assert LOADS[program](files[0] if files else default, settings)


def test_every_picture_of_the_documents_is_made_by_a_program_and_shown():
    script = (ROOT / "tools/pictures").read_text()
    made = {*re.findall(r"^small \S+ (\S+)$", script, re.MULTILINE), *re.findall(r"docs/pictures/(\w+\.\w+)", script)}
    shown = {Path(link).name for path in DOCUMENTS for link in LINK.findall(path.read_text()) if "pictures/" in link}
    # tools.near_bodies; three files of twenty configurations; a rollout and a training of minutes
    by_hand = {"near_bodies.png", "rho_T0.64.png", "long_flow.png", "cylinder_wake.png"}
    assert shown == made | by_hand == {path.name for path in (ROOT / "docs/pictures").iterdir()}


def test_all_that_tells_the_version_tells_the_same():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    version = setup["metadata"]["version"]
    head = re.compile(rf"^## \[{re.escape(version)}\] - (\d{{4}}-\d\d-\d\d)$", re.MULTILINE)
    (released,) = head.findall((ROOT / "CHANGELOG.md").read_text())
    cited = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {version}\n" in cited and f"\ndate-released: {released}\n" in cited
