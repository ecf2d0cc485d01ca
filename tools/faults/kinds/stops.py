"""Runs that are ended: by kills, signals, wall times."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from tools.faults.trial import GENERATORS, Bad, Trial, fault

ALL = (*GENERATORS, "dtrain", "dtrain-glass")
BY_TWO = (*GENERATORS, "dtrain-ranks")
WARNINGS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)


@fault("SIGKILL of all, thrice", 14)
def kill_all(trial: Trial) -> None:
    for _ in range(3):
        run = trial.start()
        run.during(trial.moment())
        run.send(signal.SIGKILL)
        trial.end(run, [signal.SIGKILL])
    trial.complete()


@fault("SIGKILL of all, once", 6, ("dtrain", "dtrain-glass"))
def kill_training(trial: Trial) -> None:
    run = trial.start()
    run.during(trial.moment(low=0.3))
    run.send(signal.SIGKILL)
    trial.end(run, [signal.SIGKILL])
    trial.complete()


@fault("SIGKILL of one rank of 2", 5, BY_TWO)
def kill_one(trial: Trial) -> None:
    run = trial.start(ranks=2)
    if run.during(trial.moment(2)) and (ranks := run.ranks()):
        os.kill(trial.random.choice(ranks), signal.SIGKILL)
    trial.end(run, [signal.SIGKILL], several=True)
    trial.complete()


@fault("SIGKILL of all ranks, resumed by 3", 2)
def kill_ranks(trial: Trial) -> None:
    run = trial.start(ranks=2)
    run.during(trial.moment(2))
    run.send(signal.SIGKILL)
    trial.end(run, [signal.SIGKILL], several=True)
    trial.end(trial.start(ranks=3), several=True)
    trial.complete()


def _signal(trial: Trial, number: signal.Signals) -> None:
    run = trial.start()
    if run.during(trial.moment()):
        os.kill(run.pid, number)
    trial.end(run, [number])
    trial.complete()


@fault("SIGTERM", 4, ALL)
def terminate(trial: Trial) -> None:
    _signal(trial, signal.SIGTERM)


@fault("SIGINT", 4, ALL)
def interrupt(trial: Trial) -> None:
    _signal(trial, signal.SIGINT)


@fault("SIGINT to 2 ranks", 2, BY_TWO)
def interrupt_ranks(trial: Trial) -> None:
    run = trial.start(ranks=2)
    if run.during(trial.moment(2)):
        os.killpg(run.pid, signal.SIGINT)
    trial.end(run, [signal.SIGINT], several=True)
    trial.complete()


@fault("wall time: SIGTERM, then SIGKILL", 4, ALL)
def wall_time(trial: Trial) -> None:
    run = trial.start()
    if run.during(trial.moment()):
        os.kill(run.pid, signal.SIGTERM)
        run.during(0.3)
        run.send(signal.SIGKILL)
    trial.end(run, [signal.SIGTERM, signal.SIGKILL])
    trial.complete()


@fault("a warning before the wall time (USR1, USR2, XCPU)", 4, ALL)
def warn(trial: Trial) -> None:
    _signal(trial, trial.random.choice(WARNINGS[1:]))


@fault("a warning while the program is imported", 2, ALL)
def warn_early(trial: Trial) -> None:
    _while_imported(trial, 1)


@fault("a warning to one rank of 2 while the program is imported", 2, BY_TWO)
def warn_one_early(trial: Trial) -> None:
    _while_imported(trial, 2)


def _while_imported(trial: Trial, ranks: int) -> None:
    """From the moment on at which a process takes signals, long before its run begins."""
    number = trial.random.choice(WARNINGS)
    run = trial.start(ranks=ranks, anew=True)
    warned: list[int] = []
    while not warned and run.during(0.01):
        present = [run.pid] if ranks == 1 else run.ranks()
        warned = [pid for pid in present if takes(pid, number)] if len(present) == ranks else []
    run.during(trial.random.uniform(0, 0.3))
    if warned:
        os.kill(trial.random.choice(warned), number)
    end = trial.end(run, [number])
    if end.code != 75:
        raise Bad("lost", f"code {end.code} where 75 is due")
    trial.complete()


def takes(pid: int, number: int) -> bool:
    """Whether a process has a handler of a signal."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return bool(int(re.findall(r"SigCgt:\s*(\w+)", status)[0], 16) >> (number - 1) & 1)
