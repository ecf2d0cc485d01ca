"""Two layers of operations of torch, for all devices and widths; arguments as in `dtrain.kernels.two_layers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dtrain.kernels.order import Order


class Layers(NamedTuple):
    """Weights [width, n_inputs] and [width, width] and the bias [width] of the second layer, as torch has them."""

    weight: Tensor
    weight_2: Tensor
    bias_2: Tensor


def forward(
    rows: Tensor, constant: Tensor, ends: Sequence[Tensor], layers: Layers, out: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """See `forward_op`; rows may be overwritten as `out`."""
    weight, weight_2, bias_2 = layers
    out = torch.addmm(bias_2, _hidden(rows, constant, ends, weight), weight_2.t(), out=out).relu_()
    return out, Order(*ends[2:]).at_target(out) if ends else rows.new_empty(0)


def backward(
    gradients: tuple[Tensor, Tensor | None, Tensor | None],
    out: Tensor,
    rows: Tensor,
    constant: Tensor,
    ends: Sequence[Tensor],
    layers: Layers,
    wants_rows: bool,
) -> list[Tensor]:
    """See `backward_op`."""
    (of_out, of_arriving, of_constant), (weight, weight_2, _) = gradients, layers
    hidden = _hidden(rows, constant, ends, weight)
    if of_arriving is not None:
        of_out = of_out + of_arriving.to(of_out.dtype).index_select(0, ends[3])
    second = of_out.masked_fill(out == 0, 0)
    first = (second @ weight_2).masked_fill_(hidden == 0, 0)
    into_constant = first if constant.dim() == 2 else first.sum(0)
    if of_constant is not None:
        into_constant = into_constant + of_constant
    into_rows = first @ weight if wants_rows else rows.new_empty(0)
    into_layers = first.t() @ rows, second.t() @ hidden, second.sum(0)
    return [into_rows, into_constant, *_into_ends(first, ends), *into_layers]


def _hidden(rows: Tensor, constant: Tensor, ends: Sequence[Tensor], weight: Tensor) -> Tensor:
    hidden = torch.addmm(constant, rows, weight.t())
    if ends:
        of_source, of_target, source, target = ends[:4]
        hidden += of_source.index_select(0, source)
        hidden += of_target.index_select(0, target)
    return hidden.relu_()


def _into_ends(first: Tensor, ends: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    if not ends:
        return first.new_empty(0), first.new_empty(0)
    order = Order(*ends[2:])
    return order.at_source(first).to(first.dtype), order.at_target(first).to(first.dtype)
