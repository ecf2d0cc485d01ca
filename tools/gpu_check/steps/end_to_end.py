"""Whole runs of both generators: the share of time on the host, and the bytes of small ones against the CPU's."""

from __future__ import annotations

import cProfile
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.gpu_check.generating import digests, generate, print_profile
from tools.gpu_check.step import Bench, Step, Table

STEP = Step("A", order=60, limit=100, least=30)
TABLES = {
    "defaults": Table(
        "performance",
        "Whole runs on a GPU",
        {"program": "program", "settings": "settings", "wall_s": "wall time, s", "host": "share on the host"},
    ),
    "digests": Table(
        "validation",
        "Files of a GPU and of the CPU",
        {"program": "program", "settings": "settings", "fields": "fields", "differ": "that differ"},
    ),
}
EQUAL = {
    "mdgen": [
        *("system.n_particles=256", "production.n_samples=3", "production.n_replicas=4", "production.times=[0.1,1]"),
        *("initial.melt_time=1", "initial.cooling_time=1", "initial.hold_time=1"),
    ],
    "lbmgen": ["n_cases=4", "frames.count=3", "frames.warm_up=0.2"],
}
TINY = {
    "mdgen": [
        *("system.n_particles=160", "production.n_samples=1", "production.n_replicas=2", "production.times=[0.02]"),
        *("initial.melt_time=0.02", "initial.cooling_time=0.02", "initial.hold_time=0.02"),
    ],
    "lbmgen": [
        *("n_cases=1", "grid.cells=[18,12]", "obstacles.diameter=3", "obstacles.upstream=1", "obstacles.downstream=2"),
        *("flow.reynolds=[20,30]", "frames.count=1", "frames.every=6", "frames.force_every=6", "frames.warm_up=0.01"),
    ],
}
DEFAULTS: tuple[tuple[str, list[str]], ...] = (
    ("mdgen", []),
    ("lbmgen", ["n_cases=64"]),
    ("lbmgen", ["n_cases=64", "grid.refinement=4", "frames.count=10", "frames.warm_up=2", "obstacles.diameter=7"]),
)


def run(bench: Bench) -> None:
    with TemporaryDirectory(prefix="gpu-check-") as folder:
        for program, settings in bench.size(DEFAULTS, ()):
            bench.attempt(program, _time, bench, program, settings, Path(folder))
        for program, settings in bench.size(EQUAL, TINY).items():  # the CPU may have to compile for a minute first
            bench.attempt(program, _compare, bench, program, settings, Path(folder))


def _compare(bench: Bench, program: str, settings: list[str], folder: Path) -> None:
    made = {}
    for name, device in (("gpu", bench.device), ("cpu", None)):
        path = folder / f"{program}_{name}.h5"
        spent = generate(program, path, device, settings)
        made[name] = digests(path)
        if bench.tiny and device is not None:
            _record(bench, program, settings, spent)
    differ = [name for name in made["cpu"] if made["gpu"].get(name) != made["cpu"][name]]
    bench.record("digests", program=program, settings=" ".join(settings), fields=len(made["cpu"]), differ=differ)
    if differ:
        raise AssertionError(f"{program}: {', '.join(differ)} differ from the CPU's")


def _time(bench: Bench, program: str, settings: list[str], folder: Path) -> None:
    profile = cProfile.Profile()
    spent = generate(program, folder / f"{program}.h5", bench.device, settings, profile)
    print_profile(profile)
    _record(bench, program, settings, spent)


def _record(bench: Bench, program: str, settings: list[str], spent) -> None:
    words = " ".join(settings) or "defaults"
    bench.record("defaults", program=program, settings=words, wall_s=spent.wall, host=spent.host)
