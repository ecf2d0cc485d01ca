"""A training step in all its forms, by `tools.benchmarks.train_step`, as records of a step of the check.

Torch is imported within functions: not by who only looks at steps.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.gpu_check.step import Bench, Table

if TYPE_CHECKING:
    from tools.benchmarks.train_step import Form, Machine
    from tools.benchmarks.train_tasks import Task

COLUMNS = {
    "form": "form",
    "ms": "a step, ms",
    "per_s": "samples/s",
    "GiB": "memory, GiB",
    "tflops": "TFLOP/s",
    "of_product": "of a product of matrices",
    "first_s": "first step, s",
    "differs": "losses differ by",
}
FED = {"form": "form", "where": "samples", "ms": "a step, ms", "waited": "share waiting for them, at most"}


def tables(name: str) -> dict[str, Table]:
    """How they are shown."""
    return {
        "": Table("performance", f"A training step of {name} on a GPU", COLUMNS),
        "fed": Table("performance", f"Steps of {name} with their data on a GPU", FED),
    }


def machine(bench: Bench) -> Machine:
    """The device that torch computes on."""
    import torch

    from tools.benchmarks.train_step import Machine

    if bench.tiny:
        return Machine(torch.device("cpu"), 1, 1)
    return Machine(torch.device("cuda", 0))


def train(bench: Bench, task: Task) -> None:
    """All forms of a step, then steps with data that stay on the device or are sent to it."""
    from tools.benchmarks.train_step import forms

    where = machine(bench)
    chosen = list(forms(task, bench.size([1, 8], [1]), where.device, compiled=not bench.tiny))
    for form in sorted(chosen, key=lambda form: form.compiled)[: bench.size(None, 1)]:
        bench.attempt(str(form), _measure, bench, task, form, where)
    for stay in bench.size((True, False), (True,)):
        bench.attempt(f"fed {stay}", _feed, bench, task, chosen[0], where, stay)


def _measure(bench: Bench, task: Task, form: Form, where: Machine) -> None:
    from tools.benchmarks.train_step import GIB, measure

    found = measure(task, form, where)
    seconds = float(np.median(found.seconds))
    figures: dict[str, Any] = {
        "ms": 1e3 * seconds,
        "per_s": form.samples / seconds,
        "GiB": None if isnan(found.memory) else found.memory / GIB,
        "tflops": found.n_operations / seconds / 1e12,
        "of_product": found.share,
        "first_s": found.first,
        "differs": found.differs,
    }
    bench.record(form=str(form), **figures)


def _feed(bench: Bench, task: Task, form: Form, where: Machine, stay: bool) -> None:
    from tools.benchmarks.train_step import with_data

    seconds, waited = with_data(task, form, where, stay)
    place = "stay on the device" if stay else "come from memory"
    bench.record("fed", form=str(form), where=place, ms=1e3 * seconds, waited=waited)
