"""Arithmetic of float32 matrix products and convolutions on a GPU, as torch names it (`torch.backends.fp32_precision`).

`ieee` is float32 throughout. `tf32` multiplies numbers with 10 bits after the point (Ampere and newer) and adds in
float32: faster, with errors of about 1e-3 of a product. It is never the default here; for convolutions it is torch's.
bfloat16 is DeepSpeed's `torch_autocast`.
"""

from __future__ import annotations

from typing import Literal

import torch

Fp32Precision = Literal["ieee", "tf32"]


def use_precision(name: Fp32Precision = "ieee") -> None:
    """Choose the arithmetic for this process; the CPU computes in float32 either way."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
