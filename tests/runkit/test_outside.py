"""Parts of every kind come from a package of somebody else, as its entry points say; one that fails is named."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runkit import outside
from runkit.errors import UserError
from runkit.registry import Registry
from tests.conftest import ROOT, clean_environment
from tests.packages import write_metadata

# Package of ours -> module of theirs.
PARTS = {
    "mdgen.potentials": "potentials",
    "mdgen.thermostats": "thermostats",
    "mdgen.formats": "formats",
    "lbmgen.collisions": "collisions",
    "lbmgen.boundaries": "boundaries",
    "lbmgen.obstacles": "obstacles",
    "dtrain.models": "networks",
    "dtrain.data": "data",
    "dtrain.tasks": "tasks",
    "runkit.dataset.contracts": "contracts",
}
# Files of ours that make a registry, by the package that it reads.
REGISTRIES = {
    found[1]: path
    for room in ("runkit", "mdgen", "lbmgen", "dtrain")
    for path in sorted((ROOT / room).rglob("*.py"))
    if path != ROOT / "runkit/registry.py"
    for found in re.finditer(r'Registry\("[^"]+", "([^"]+)"[,)]', path.read_text())
}


def install(folder: Path, entries: dict[str, str], modules: dict[str, str] | None = None) -> Path:
    """The package in `folder` with the metadata that an installer would write; `modules` replaces its own."""
    package = folder / "fringe_parts"
    shutil.copytree(Path(__file__).with_name("fringe_parts"), package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in (modules or {}).items():
        (package / f"{name}.py").write_text(text)
    write_metadata(folder, "fringe_parts", {place: f"fringe_parts.{module}" for place, module in entries.items()})
    return folder


@pytest.fixture
def python(tmp_path):
    """Runs Python where the package is installed: its output, after an exit code of 0."""
    site = install(tmp_path / "site", PARTS)

    def run(*arguments: str) -> str:
        environment = clean_environment()
        environment["PYTHONPATH"] = os.pathsep.join([str(site), environment["PYTHONPATH"]])
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


LOOK_UP = """
import importlib, sys
from runkit.registry import Registry
for name in sys.argv[1:]:
    for value in list(vars(importlib.import_module(name)).values()):
        if isinstance(value, Registry):
            print(value.package, *(part for part in value.names() if part.lower().startswith("fringe")))
"""


def test_every_registry_finds_a_part_of_the_package(python):
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in REGISTRIES.values()]
    told = python("-c", LOOK_UP, *(module.removesuffix(".__init__") for module in modules))
    found = dict(line.split() for line in told.splitlines())
    assert set(PARTS) == set(REGISTRIES) == set(found)


def test_molecular_dynamics_runs_with_its_potential_thermostat_and_format(python, tmp_path):
    quick = ["initial.melt_time=0.1", "initial.cooling_time=0.1", "initial.hold_time=0.1", "device=cpu"]
    python(
        *("-m", "mdgen", "system.potential=fringe-mixture", "initial.thermostat=fringe-bussi"),
        *("system.n_particles=150", "production.n_samples=1", "production.n_replicas=2"),
        *("production.times=[0.01]", "output=a.h5", *quick),
    )
    told = python("-m", "runkit.dataset.check", "a.h5")
    assert "potential fringe-mixture" in told and re.search(r"made .* with fringe-parts 0\.1, seed 1", told)
    (tmp_path / "start.fringe").write_text("FRINGE 6.0\n" + "\n".join(f"A {x} 1 1" for x in range(1, 6)))
    told = python("-c", "import mdgen; print(mdgen.read('start.fringe')[0].position.tolist())")
    assert "[3.0, 1.0, 1.0]" in told


def test_a_flow_runs_with_its_open_face_and_body_and_its_law_is_known(python):
    assert "fringe-bgk" in python("-m", "lbmgen", "show", "collision.name=fringe-bgk")  # to compile one takes long
    python(
        *("-m", "lbmgen", "boundaries.x_high={kind='fringe-opening'}", "device=cpu"),
        *("obstacles.families=[{family='fringe-circle'}]", "grid.cells=[32, 24]", "obstacles.diameter=[4]"),
        *("frames.count=2", "frames.every=10", "frames.warm_up=0.1", "n_cases=1", "output=b.h5", "flow.reynolds=[30]"),
    )
    assert "bodies: 1 fringe-circle" in python("-m", "runkit.dataset.check", "b.h5")


LAY_DOWN = """
from fringe_parts.contracts import FRINGE
from runkit.dataset.check import check
from runkit.dataset.writer import Writer
from runkit.mpi import SerialWorld
file = Writer.open(SerialWorld(), "c.h5", FRINGE, {"trial": 3}, {"config": {}})
for trial in range(3):
    file.write("score", trial, [4.0, 2.0, 3.0][trial])
    file.mark("done", trial, 1)
file.seal()
print(check("c.h5"))
"""


def test_a_file_of_its_contract_is_written_checked_and_has_a_card(python):
    told = python("-c", LAY_DOWN)
    assert all(
        line in told for line in ("FRINGE version 1, complete", "best score 4", "1 problem(s):\n  score does not")
    )


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Installs the package with other content for this process, and forgets it in the end."""
    outside._entries.cache_clear()

    def with_content(entries: dict[str, str], modules: dict[str, str] | None = None) -> Registry:
        monkeypatch.syspath_prepend(install(tmp_path / "site", entries, modules))
        return Registry("shape", "runkit.dataset.contracts")

    yield with_content
    outside._entries.cache_clear()
    for name in [name for name in sys.modules if name.startswith("fringe_parts")]:
        del sys.modules[name]


CONTRACTS = {"runkit.dataset.contracts": "contracts"}
FAILURES = {
    "a library that is missing": ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
    "an end of the program": ("raise SystemExit(3)", "SystemExit: 3"),
    "an error of several lines": ("raise OSError('a\\n  b')", "OSError: a b"),
    "a name that is taken": (
        "from runkit.dataset.schema import contract\ncontract('FLOW')(int)",
        "ValueError: two parts are named file contract 'FLOW'",
    ),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_package_that_fails_is_named_in_one_line_each_time_that_it_is_looked_up(site, what):
    text, reason = FAILURES[what]
    registry = site(CONTRACTS, {"contracts": text})
    for _ in range(2):
        with pytest.raises(UserError) as told:
            registry.names()
        line = str(told.value)
        assert line.startswith("package fringe-parts 0.1 cannot be used: its fringe_parts.contracts, which adds to")
        assert reason in line and "\n" not in line


def test_a_package_that_adds_to_what_holds_no_parts_is_named(site):
    registry = site({"runkit.dataset.contacts": "contracts"})
    with pytest.raises(UserError, match=r"package fringe-parts 0\.1 .* to 'runkit\.dataset\.contacts', which is no"):
        registry.names()


def test_only_parts_that_are_looked_up_are_imported(site):
    """A program of molecular dynamics does not load somebody's networks."""
    site(CONTRACTS | {"dtrain.models": "networks"}, {"networks": "raise RuntimeError"}).names()
    assert "fringe_parts.contracts" in sys.modules and "fringe_parts.networks" not in sys.modules
