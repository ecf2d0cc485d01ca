"""What surrounds a program: memory, temporary folders, home, language, locks, clocks."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.faults.launched import ROOT, own_mounts
from tools.faults.trial import GENERATORS, Bad, Trial, fault

ALL = (*GENERATORS, "dtrain")


def library(source: Path, trial: Trial) -> str:
    """A C file as a library that takes the place of functions."""
    made = trial.folder.parent / f"{source.stem}.so"
    if not made.exists():
        subprocess.run(["cc", "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return str(made)


def _with(trial: Trial, environment: Mapping[str, str], *words: str) -> None:
    trial.note(str(dict(environment)))
    if trial.end(trial.start(*words, environment=environment, anew=True)).code == 0:
        trial.compare()
    else:
        trial.complete()


@fault("a file system without locks", 4, ALL)
def no_locks(trial: Trial) -> None:
    """By libraries in the place of the C library's flock and fcntl; generators by two ranks too."""
    number = trial.random.choice([37, 95, 524, 5, 22, 38])
    locking = trial.random.choice([{}, {"HDF5_USE_FILE_LOCKING": "FALSE"}])
    ranks = trial.random.choice([1, 2]) if trial.target.name in GENERATORS else 1
    trial.note(f"error {number}, {locking}, {ranks} rank(s)")
    shim = {"LD_PRELOAD": library(ROOT / "tests/real/no_locks.c", trial), "NO_LOCKS": str(number)}
    end = trial.end(trial.start(environment=shim | locking, ranks=ranks, anew=True))
    if "no locks on this file system" not in end.err:
        raise Bad("unclear", f"code {end.code}, and no word of locks: {end.err[-300:]!r}")
    if end.code:
        raise Bad("lost", f"code {end.code}, though it can do without locks")
    trial.compare()


@fault("a clock that jumps", 4, ALL)
def clock(trial: Trial) -> None:
    jump = trial.random.choice([-(10**9), -3600, 3600, 10**8])
    _with(trial, {"LD_PRELOAD": library(ROOT / "tools/faults/clock.c", trial), "CLOCK_JUMP": str(jump)})


@fault("LANG=C, or a language that is not there", 2, ALL)
def language(trial: Trial) -> None:
    _with(trial, trial.random.choice([{"LANG": "C", "LC_ALL": "C"}, {"LC_ALL": "xx_YY.UTF-8"}]))


@fault("a home that cannot be written to, or is not there", 2, ALL)
def home(trial: Trial) -> None:
    _with(trial, {"HOME": trial.random.choice(["/proc", "/nonexistent", "/dev/null"])})


@fault("a temporary folder that is not there", 2, ALL)
def temporary(trial: Trial) -> None:
    _with(trial, {"TMPDIR": trial.random.choice(["/nonexistent", "/proc"])})


@fault("a full /dev/shm, or a full temporary folder", 3, ALL)
def full(trial: Trial) -> None:
    where = trial.random.choice(["/dev/shm", "/tmp"])
    ranks = trial.random.choice([1, 2]) if where == "/dev/shm" and trial.target.name in GENERATORS else 1
    trial.note(f"{where}, {ranks} rank(s)")
    folder = trial.folder if where == "/dev/shm" else trial.folder / "tmp"
    folder.mkdir(exist_ok=True)
    mounted = "/dev/shm" if where == "/dev/shm" else str(folder)
    run = trial.start(ranks=ranks, before=own_mounts((mounted, "64k")), environment={"TMPDIR": str(folder)})
    trial.end(run, several=ranks > 1)
    trial.complete()


@fault("little memory (ulimit -v)", 5, ALL)
def memory(trial: Trial) -> None:
    size = trial.random.choice([200, 400, 700, 1000, 1500, 2500]) << 20
    trial.note(f"{size >> 20} MiB")
    run = trial.start(before=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)), anew=True)
    try:
        trial.end(run)
    finally:
        trial.note((trial.folder / ".err").read_text(errors="replace")[-200:])
    trial.complete()


@fault("few open files (ulimit -n)", 2, ALL)
def open_files(trial: Trial) -> None:
    _limited(trial, resource.RLIMIT_NOFILE, trial.random.choice([12, 20, 40]), "files")


@fault("a largest file size (ulimit -f)", 3, ALL)
def file_size(trial: Trial) -> None:
    _limited(trial, resource.RLIMIT_FSIZE, trial.random.choice([10_000, 100_000, 300_000]), "bytes")


def _limited(trial: Trial, of: int, most: int, unit: str) -> None:
    trial.note(f"{most} {unit}")
    trial.end(trial.start(before=lambda: resource.setrlimit(of, (most, most))))
    trial.complete()


@fault("a reader of the output that leaves", 2, ALL)
def closed(trial: Trial) -> None:
    def close() -> None:
        read, write = os.pipe()
        os.close(read)
        os.dup2(write, 1)

    try:
        trial.end(trial.start(before=close, anew=True), [signal.SIGPIPE])
    finally:
        trial.note("standard output is a closed pipe")
    trial.complete()
