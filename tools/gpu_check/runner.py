"""Runs steps one after another, most valuable first: a hang or a crash of one costs no more than its own limit."""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from runkit.child import Ended, run_apart
from tools.gpu_check.machine import ask_driver, describe
from tools.gpu_check.step import Step, append, chosen, module_of

PROGRAM = (sys.executable, "-m", "tools.gpu_check")
SHOWN = 12  # last lines of what a step said, if it failed


class Plan(NamedTuple):
    """Options of a check: words (A, B, names of steps), seconds together, folders, and whether tiny."""

    words: list[str]
    seconds: float
    data: Path
    out: Path
    tiny: bool = False


def run(plan: Plan) -> int:
    """Run all steps; 0 if all that ran ended well, else 1. Results are in `plan.out`, as they came."""
    names, end = chosen(plan.words), time.monotonic() + plan.seconds
    command = ["python", "-m", "tools.gpu_check", *sys.argv[1:]]
    append(plan.out, {"step": "run", **describe(command, plan.data, "stand-in" if plan.tiny else "")})
    missed = []
    for together in _pairs(names):
        left = end - time.monotonic()
        ready = [name for name in together if not _left_out(plan, name, left)]
        with ThreadPoolExecutor(len(together)) as pool:
            ended = list(pool.map(lambda name: _run_one(plan, name, end), ready))
        for name, how in zip(ready, ended, strict=True):
            _keep(plan, name, how)
        missed += [name for name, how in zip(ready, ended, strict=True) if how.code != 0]
        if missed and not plan.tiny and not ask_driver("-L"):
            print("nvidia-smi does not answer: no further steps; without a GPU, --tiny runs them behind a stand-in")
            break
    print(f"results: {plan.out / 'results.jsonl'}" + (f"; not ended well: {', '.join(missed)}" if missed else ""))
    return int(bool(missed))


def _pairs(names: Sequence[str]) -> Iterator[list[str]]:
    """Steps in their order, with one that may run beside another moved to it."""
    waiting = list(names)
    while waiting:
        together = [waiting.pop(0)]
        other = step_of(together[0]).beside
        if other in waiting:
            waiting.remove(other)
            together.append(other)
        yield together


def step_of(name: str) -> Step:
    """When it runs, and for how long."""
    step: Step = module_of(name).STEP
    return step


def _left_out(plan: Plan, name: str, left: float) -> bool:
    """Whether a step cannot run now; prints why."""
    step, reason = step_of(name), ""
    if left < step.least and not plan.tiny:
        reason = f"needs {step.least:g} s, {left:.0f} s are left"
    elif step.under and not plan.tiny and not shutil.which(step.under[0]):
        reason = f"{step.under[0]} is not on the PATH"
    if reason:
        print(f"== {name}: left out, {reason}", flush=True)
        append(plan.out, {"step": name, "outcome": f"left out: {reason}"})
    return bool(reason)


def _run_one(plan: Plan, name: str, end: float) -> Ended:
    """The step in a process of its own, until its limit or the end of all."""
    step = step_of(name)
    seconds = max(1.0, min(step.limit, end - time.monotonic()))
    words = ["step", name, "--seconds", f"{seconds:.0f}", "--data", str(plan.data), "--out", str(plan.out)]
    command = [*PROGRAM, *words, *(["--tiny"] if plan.tiny else [])]
    under = () if plan.tiny else step.under
    return run_apart([*under, *command], seconds, os.environ | {"PYTHONUNBUFFERED": "1"})


def _keep(plan: Plan, name: str, ended: Ended) -> None:
    append(plan.out, {"step": name, "outcome": ended.how, "seconds": round(ended.seconds, 1)})
    with (plan.out / "log.txt").open("a") as log:
        log.write(f"\n===== {name}: {ended.how}, {ended.seconds:.1f} s\n{ended.text}")
    for figures in _figures(name, ended.text):
        append(plan.out, {"step": name, **figures})
    print(f"== {name}: {ended.how}, {ended.seconds:.1f} s", flush=True)
    if ended.code != 0:
        for line in ended.text.strip().splitlines()[-SHOWN:]:
            print("  ", line[:200])


def _figures(name: str, text: str) -> list[dict[str, Any]]:
    """What a step reads from what its program said; that it cannot be read is recorded, and the next step runs."""
    read = step_of(name).read
    try:
        return [{"table": "", **figures} for figures in read(text)] if read is not None else []
    except Exception as error:
        traceback.print_exc()
        return [{"table": "failed", "case": "what it said", "error": f"{type(error).__name__}: {str(error)[:300]}"}]
