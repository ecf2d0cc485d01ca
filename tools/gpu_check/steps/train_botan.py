"""A training step of BOTAN on graphs of 4096 particles: float32, TF32, bfloat16, compiled; the published form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tools.gpu_check.replicas import equilibrated
from tools.gpu_check.step import Bench, Step, Table

if TYPE_CHECKING:
    from torch import Tensor

    from tools.gpu_check.training import Form, Inputs

STEP = Step("B", order=20, limit=90, least=30)
COLUMNS = {
    "form": "form",
    "ms": "a step, ms",
    "per_s": "graphs/s",
    "GiB": "memory of a step, GiB",
    "tflops": "TFLOP/s",
    "of_peak": "of a large matrix product",
    "first_s": "first step, s",
}
TABLES = {
    "": Table("performance", "A training step of BOTAN on a GPU", COLUMNS),
    "digits": Table("validation", "BOTAN in fewer digits", {"form": "form", "differs": "outputs differ by"}),
}
CUTOFF = 2.0
SMALL: dict[str, Any] = {"width": 4, "rounds": 1}  # of a tiny bench


def run(bench: Bench) -> None:
    """Torch is imported here: not by who only looks at steps."""
    from tools.gpu_check.training import peaks

    peak = peaks(bench)
    exact: dict[int, Any] = {}
    for form in _forms(bench):
        bench.attempt(str(form), _measure, bench, form, peak, exact)


def _forms(bench: Bench) -> list[Form]:
    from tools.gpu_check.training import Form

    if bench.tiny:
        return [Form("ours"), Form("as published", 2, "bf16")]
    plain = [Form("ours", n, precision) for n in (1, 8) for precision in ("ieee", "tf32", "bf16")]
    compiled = [Form("ours", n, "tf32", True) for n in (1, 8)]
    return [*plain, Form("as published"), Form("recomputed", 8), *compiled, Form("ours", 1, "bf16", True)]


def _measure(bench: Bench, form: Form, peak: dict[str, float], exact: dict) -> None:
    import torch

    from dtrain.models.botan import Botan
    from tools.benchmarks.botan_step import Published
    from tools.gpu_check.training import measure

    torch.manual_seed(1)
    network = Botan(**bench.size({}, SMALL), recompute=form.name == "recomputed")
    chosen = Published(network) if form.name == "as published" else network
    inputs = graphs(bench, form.n)
    output = measure(bench, form, chosen, inputs, loss_of, peak)
    reference = exact.setdefault(form.n, output)
    if reference is not output:
        bench.record("digits", form=str(form), differs=float((output - reference).norm() / reference.norm()))


def loss_of(outputs: Inputs) -> Tensor:
    """A loss that needs all outputs."""
    node, edge = outputs
    return node.float().square().mean() + edge.float().square().mean()


def graphs(bench: Bench, n: int) -> Inputs:
    """`n` graphs of the same liquid as one, on torch's device."""
    import torch

    from dtrain.data.graphs import graph, near_pairs
    from tools.gpu_check.training import where

    one = equilibrated(bench)
    made = graph(one.species, [one.position], one.box, near_pairs(one.position, one.box, CUTOFF))
    edges = torch.cat([made.edge_index + k * len(one.species) for k in range(n)], dim=1)
    inputs = made.x.repeat(n, 1), edges, made.edge_attr.repeat(n, 1)
    assert edges.max() < n * len(np.asarray(one.species))
    return tuple(each.to(where()) for each in inputs)
