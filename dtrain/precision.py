"""Arithmetic of networks: of float32 products on a GPU, and of products of networks that are used, not trained.

Of the first, as torch names it (`torch.backends.fp32_precision`), `ieee` is float32 throughout. `tf32` multiplies
numbers with 10 bits after the point (Ampere and newer) and adds in float32: faster, with errors of about 1e-3 of a
product. It is never the default here; for convolutions it is torch's. In training bfloat16 is DeepSpeed's
`torch_autocast`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Fp32Precision = Literal["ieee", "tf32"]


Products = Literal["float32", "bfloat16"]


class InBfloat16(nn.Module):
    """A network whose matrix products and convolutions have factors with 7 bits after the point and sums in float32.

    Weights stay as they are. A GPU since Ampere and a CPU with AVX512-BF16 or AMX gain by it; others lose.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(inputs[0].device.type, torch.bfloat16):
            found: tuple[Tensor, ...] = self.network(*inputs)
        return tuple(one.float() for one in found)


def computing_in(products: Products, network: nn.Module) -> nn.Module:
    """The network itself, or one that computes its products in bfloat16."""
    return network if products == "float32" else InBfloat16(network)


def use_precision(name: Fp32Precision = "ieee") -> None:
    """Choose the arithmetic for this process; the CPU computes in float32 either way."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
