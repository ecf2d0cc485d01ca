"""A training step of the flow CNN on clips of 64 x 64 cells: float32, TF32, bfloat16, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.gpu_check.step import Bench, Step, Table

if TYPE_CHECKING:
    from tools.gpu_check.training import Form

STEP = Step("B", order=21, limit=60, least=25)
COLUMNS = {
    "form": "form",
    "ms": "a step, ms",
    "per_s": "clips/s",
    "GiB": "memory of a step, GiB",
    "tflops": "TFLOP/s",
    "of_peak": "of a large matrix product",
    "first_s": "first step, s",
}
TABLES = {"": Table("performance", "A training step of the flow CNN on a GPU", COLUMNS)}


def run(bench: Bench) -> None:
    """Torch is imported here: not by who only looks at steps."""
    from tools.gpu_check.training import Form, peaks

    peak = peaks(bench)
    plain = [Form("ours", n, precision) for n in (8, 64) for precision in ("ieee", "tf32", "bf16")]
    compiled = [Form("ours", 64, precision, True) for precision in ("tf32", "bf16")]
    for form in bench.size([*plain, *compiled], [Form("ours", 2), Form("ours", 2, "bf16")]):
        bench.attempt(str(form), _measure, bench, form, peak)


def _measure(bench: Bench, form: Form, peak: dict[str, float]) -> None:
    import torch

    from dtrain.models.flow_cnn import FlowCNN
    from tools.gpu_check.training import measure, where

    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    network, size = FlowCNN(), bench.size(64, 16)
    clips = torch.randn(form.n, 4, 3, size, size, device=where())
    measure(bench, form, network, (clips,), lambda out: out[0].float().square().mean(), peak)
