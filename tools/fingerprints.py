"""Whether a change of the code has changed a bit of what the generators write.

    python -m tools.fingerprints record before.json      # with the code as it was
    python -m tools.fingerprints compare before.json     # with the code as it is

Small runs of both generators (every thermostat, potential, collision law and kind of face, both precisions, several
ranks, and the kernels for a GPU behind a stand-in) are done in a temporary folder. A fingerprint is the SHA-256 of the
type, shape and bytes of a dataset. Runs that differ only in who computes must agree among themselves, too. What one
side lacks, such as a dataset that is new, is listed and is no difference. Exit code 1 if something differs.
Fingerprints of two machines may differ: compare on one.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import h5py
from pydantic import Field

from lbmgen.collisions import collision
from mdgen.thermostats import thermostat
from runkit.child import run_apart
from runkit.cli import run_program
from runkit.config import Config
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from runkit.outputs import require_replaceable, starts_with, written_whole
from runkit.progress import Progress
from tools.mpiexec import mpiexec

LIMIT = 600.0  # seconds of a run

GLASS: tuple[str, ...] = (
    "seed=3", "replicas_per_gpu=4", "checkpoint_seconds=0", "system.n_particles=160", "system.temperature=1.0",
    "initial.melt_time=0.2", "initial.cooling_time=0.3", "initial.hold_time=0.3",
    "production.n_samples=2", "production.n_replicas=5", "production.times=[0.05,0.4]",
)  # fmt: skip
FLOW: tuple[str, ...] = (
    "n_cases=3", "grid.cells=[24,16]", "flow.reynolds=[40,60]", "obstacles.diameter=3",
    "obstacles.families=[{family='circle'},{family='blob',seed=[0,99]}]",
    "frames.count=4", "frames.every=20", "frames.warm_up=0.2",
)  # fmt: skip
DUCT: tuple[str, ...] = (
    "n_cases=1", "grid.cells=[16,12,12]", "flow.reynolds=20", "obstacles.diameter=3",
    "obstacles.families=[{family='sphere'}]", "obstacles.upstream=1", "obstacles.downstream=2",
    "frames.count=2", "frames.every=20", "frames.warm_up=0.1",
)  # fmt: skip


class Run(NamedTuple):
    """A program with settings on a number of ranks, or behind the stand-in for a GPU (ranks 0)."""

    program: str
    settings: tuple[str, ...]
    ranks: int = 1


def runs() -> dict[str, tuple[Run, ...]]:
    """By name: a run, and others that must write the same data."""
    return dict(_glasses()) | dict(_flows())


def _glasses() -> Iterator[tuple[str, tuple[Run, ...]]]:
    for coupling in thermostat.names():
        for precision in ("float32", "float64"):
            more = (f"initial.thermostat={coupling}", f"integrator.precision={precision}")
            yield f"glass {coupling} {precision}", _glass((1, 3, 0), *more)
    one = ("system.potential=lennard-jones", "system.composition=[1.0]", "system.density=0.8")
    yield "glass lennard-jones", _glass((1, 0), *one)
    two = "system.parameters={epsilon=[1.0,1.3,0.6],sigma=[1.0,0.85,0.9],cutoff=2.4}"
    yield "glass binary-lennard-jones", _glass((1, 0), "system.potential=binary-lennard-jones", two)


def _glass(ranks: tuple[int, ...], *more: str) -> tuple[Run, ...]:
    return tuple(Run("mdgen", (*GLASS, *more), each) for each in ranks)


def _flows() -> Iterator[tuple[str, tuple[Run, ...]]]:
    for law in collision.names():
        for precision in ("float32", "float64"):
            settings = (*FLOW, f"collision.name={law}", f"collision.precision={precision}")
            cut = Run("lbmgen", (*settings, "ranks_per_case=3"), 3)
            yield f"flow {law} {precision}", (Run("lbmgen", settings), cut, Run("lbmgen", settings, 0))
    changes = {
        "half-way walls": ("obstacles.walls=half-way",),
        "outlet of pressure": ("boundaries.x_high={kind='pressure'}", "flow.reynolds=[20,30]"),
        "channel": ("boundaries.y_low={kind='no-slip'}", "boundaries.y_high={kind='no-slip'}"),
        "parabola": (
            "boundaries.x_low={kind='velocity',profile='parabolic'}",
            "boundaries.y_low={kind='no-slip'}",
            "flow.velocity=0.05",
        ),
        "pulsation": ("flow.pulsation=0.5", "flow.period=50", "flow.velocity=0.05"),
        "force": (*(f"boundaries.{side}={{kind='periodic'}}" for side in ("x_low", "x_high")), "flow.force=[1e-6,0]"),
    }
    for name, more in changes.items():
        cut = Run("lbmgen", (*FLOW, *more, "ranks_per_case=2"), 2)
        yield f"flow {name}", (Run("lbmgen", (*FLOW, *more)), cut, Run("lbmgen", (*FLOW, *more), 0))
    for lattice in ("D3Q19", "D3Q27"):
        settings = (*DUCT, f"grid.lattice={lattice}")
        yield f"flow {lattice}", (Run("lbmgen", settings), Run("lbmgen", (*settings, "ranks_per_case=2"), 2))


def fingerprints(run: Run, folder: Path) -> dict[str, str]:
    """SHA-256 of each dataset that a run writes; raises `UserError` with what it said if it fails."""
    output = folder / "run.h5"
    output.unlink(missing_ok=True)
    python = (sys.executable, "-m", *(("tests.shim",) if run.ranks == 0 else ()), run.program)
    command = (*((mpiexec(), "-n", str(run.ranks)) if run.ranks > 1 else ()), *python, *run.settings)
    done = run_apart((*command, f"output={output}"), LIMIT, os.environ | {"OMP_NUM_THREADS": "1"})
    if done.code != 0:
        raise UserError(f"{' '.join(command)}: {done.how}\n{done.text}")
    found: dict[str, str] = {}
    with h5py.File(output, "r") as file:
        file.visititems(
            lambda name, item: found.update({name: _digest(item)} if isinstance(item, h5py.Dataset) else {})
        )
    return found


def _digest(data: h5py.Dataset) -> str:
    array = data[()]
    return hashlib.sha256(f"{array.dtype} {array.shape}".encode() + array.tobytes()).hexdigest()


def record() -> dict[str, dict[str, str]]:
    """Fingerprints of all runs; raises `UserError` where runs that must agree do not."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, Progress(SerialWorld(), len(runs()), "run") as progress:
        for name, (first, *others) in runs().items():
            found[name] = fingerprints(first, Path(folder))
            for other in others:
                if wrong := differences({name: found[name]}, {name: fingerprints(other, Path(folder))}):
                    who = f"{other.ranks} ranks" if other.ranks else "the stand-in for a GPU"
                    raise UserError(f"{name}: {who} and one rank differ in {', '.join(wrong)}")
            progress.advance()
    return found


def differences(before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Datasets of one name, in runs of one name, that have other fingerprints."""
    return [
        f"{run}: {name}"
        for run in before.keys() & after.keys()
        for name in before[run].keys() & after[run].keys()
        if before[run][name] != after[run][name]
    ]


class Options(Config):
    """Fingerprints of what the generators write."""

    action: Literal["record", "compare"] = Field(description="write the file, or compare with it")
    file: str = Field(description="JSON file of fingerprints")


def main(options: Options) -> int:
    """Record, or compare and print what differs; exit code 1 if something does."""
    path = Path(options.file)
    if options.action == "record":
        require_replaceable(path, starts_with(r'\{\n "[^"]+": \{\n  "[^"]+": "[0-9a-f]{16,}"'))
    before = _read(path) if options.action == "compare" else None
    found = record()
    if before is None:
        with written_whole(path) as beside:
            beside.write_text(json.dumps(found, indent=1) + "\n")
        print(f"wrote {path}: {len(found)} runs")
        return 0
    for one, other, which in ((before, found, "before"), (found, before, "now")):
        if alone := _names(one) - _names(other):
            print(f"only {which}: {', '.join(sorted(alone))}")
    wrong = differences(before, found)
    print("\n".join(f"differs: {each}" for each in wrong) or f"{len(found)} runs: no bit differs")
    return int(bool(wrong))


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as fingerprints: {error}") from error
    return found


def _names(found: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Of runs, and of datasets in any of them."""
    return found.keys() | {name for run in found.values() for name in run}


if __name__ == "__main__":
    run_program("python -m tools.fingerprints", Options, main, positional=("action", "file"))
