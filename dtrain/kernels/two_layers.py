"""Two linear layers, each followed by a ReLU, over many rows; for edges with what both ends add to the first layer.

out = ReLU(W_2 ReLU(W rows + constant + of_source[source] + of_target[target]) + b_2), and its sums at the targets. What
is hidden between the layers is computed anew in the backward pass instead of kept. On the CPU it never leaves the cache
(`cpu/`); operations of torch serve all other devices and widths. To torch this is one operation: what it costs is known
from shapes alone, and torch.compile goes around it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from dtrain.kernels import on_torch
from dtrain.kernels.on_torch import Layers as Layers
from dtrain.kernels.order import Order


def two_layers(rows: Tensor, bias: Tensor, layers: Layers) -> Tensor:
    """Rows [n, n_inputs] -> [n, width]; the `bias` [width] is that of the first layer."""
    return _apply(rows, bias, None, layers, None)[0]


def edge_layers(
    edge: Tensor, constant: Tensor, of_ends: tuple[Tensor, Tensor], order: Order, layers: Layers
) -> tuple[Tensor, Tensor, Tensor]:
    """Edges [n_edges, width] -> edges, their sums at the targets [n_nodes, width], and `constant` [n_edges, width].

    `of_ends` [n_nodes, width] is what sources and targets add to the first layer. Whoever needs the constant again
    takes the one that is returned: its gradient is then summed up where it arises, without passes of its own. Where
    no gradients are wanted, `edge` may be overwritten, which saves a third of the memory.
    """
    is_plain = type(edge) is Tensor and all(one.dtype == edge.dtype for one in (constant, *of_ends, *layers))
    if is_plain and not (torch.is_grad_enabled() or edge.is_cuda or torch.compiler.is_compiling()):
        return *_kernels(edge, layers.bias_2).forward(edge, constant, [*of_ends, *order], layers, edge), constant
    return _apply(edge, constant, of_ends, layers, order)


def _apply(
    rows: Tensor, constant: Tensor, of_ends: tuple[Tensor, Tensor] | None, layers: Layers, order: Order | None
) -> tuple[Tensor, Tensor, Tensor]:
    """In half precision where autocast asks for it on a GPU; on the CPU float32 is the faster one."""
    kind = rows.device.type
    dtype = torch.get_autocast_dtype(kind) if kind == "cuda" and torch.is_autocast_enabled(kind) else rows.dtype
    rows, constant, *weights = (tensor.to(dtype) for tensor in (rows, constant, *layers))
    ends = [end.to(dtype) for end in of_ends or ()]
    with torch.autocast(kind, enabled=False):
        if kind == "cuda" and torch.compiler.is_compiling():  # which fuses what it sees
            return *on_torch.forward(rows, constant, [*ends, *(order or ())], Layers(*weights)), constant
        apply: Any = _TwoLayers.apply
        found: tuple[Tensor, Tensor, Tensor] = apply(order, rows, constant, *(ends or (None, None)), *weights)
    return found


class _TwoLayers(torch.autograd.Function):
    """The operation with its gradients."""

    @staticmethod
    def forward(ctx: Any, order: Order | None, *tensors: Any) -> tuple[Tensor, Tensor, Tensor]:
        rows, constant, *of_ends, weight, weight_2, bias_2 = tensors
        ends = [*of_ends, *order] if order else []
        out, arriving = forward_op(rows, constant, ends, weight, weight_2, bias_2)
        ctx.order = order
        ctx.save_for_backward(out, *tensors)
        ctx.set_materialize_grads(False)
        return out, arriving, constant

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        out, rows, constant, *of_ends, weight, weight_2, bias_2 = ctx.saved_tensors
        ends = [*of_ends, *ctx.order] if ctx.order else []
        of_out, of_arriving, of_constant = gradients
        of_out = torch.zeros_like(out) if of_out is None else of_out
        wants_rows = bool(ctx.needs_input_grad[1])
        found = backward_op(
            of_out, of_arriving, of_constant, out, rows, constant, ends, weight, weight_2, bias_2, wants_rows
        )
        into_rows, into_constant, into_source, into_target, *into_layers = found
        into_ends = (into_source, into_target) if ends else (None, None)
        return None, into_rows if wants_rows else None, into_constant, *into_ends, *into_layers


# Schemas are written out: torch 2.5 cannot read them from these annotations.
_LAYERS = "Tensor rows, Tensor constant, Tensor[] ends, Tensor weight, Tensor weight_2, Tensor bias_2"
_GRADIENTS = "Tensor of_out, Tensor? of_arriving, Tensor? of_constant, Tensor out"


@torch.library.custom_op("glassflow::two_layers", mutates_args=(), schema=f"({_LAYERS}) -> (Tensor, Tensor)")
def forward_op(
    rows: Tensor, constant: Tensor, ends: list[Tensor], weight: Tensor, weight_2: Tensor, bias_2: Tensor
) -> tuple[Tensor, Tensor]:
    """`out` and its sums at the targets (empty without ends); `ends` are of_source, of_target and an `Order`."""
    forward = _kernels(rows, bias_2).forward
    found: tuple[Tensor, Tensor] = forward(rows, constant, ends, Layers(weight, weight_2, bias_2))
    return found


@torch.library.custom_op(
    "glassflow::two_layers_backward", mutates_args=(), schema=f"({_GRADIENTS}, {_LAYERS}, bool wants_rows) -> Tensor[]"
)
def backward_op(
    of_out: Tensor,
    of_arriving: Tensor | None,
    of_constant: Tensor | None,
    out: Tensor,
    rows: Tensor,
    constant: Tensor,
    ends: list[Tensor],
    weight: Tensor,
    weight_2: Tensor,
    bias_2: Tensor,
    wants_rows: bool,
) -> list[Tensor]:
    """Gradients of rows (empty unless wanted), constant, of_source, of_target (empty without ends) and the layers."""
    gradients, layers = (of_out, of_arriving, of_constant), Layers(weight, weight_2, bias_2)
    backward = _kernels(rows, bias_2, wants_rows).backward
    found: list[Tensor] = backward(gradients, out, rows, constant, ends, layers, wants_rows)
    return found


def _kernels(rows: Tensor, bias_2: Tensor, wants_rows: bool = False) -> Any:
    """`on_cpu` if it serves these shapes and types, else `on_torch`."""
    if rows.device.type != "cpu" or rows.dtype not in (torch.float32, torch.float64):
        return on_torch
    from dtrain.kernels import on_cpu  # loads a compiler

    fits = on_cpu.are_vectors(len(bias_2)) and (not wants_rows or on_cpu.are_vectors(rows.shape[1]))
    return on_cpu if fits else on_torch


@forward_op.register_fake
def _(rows: Tensor, constant: Tensor, ends: list[Tensor], *layers: Tensor) -> tuple[Tensor, Tensor]:
    out = rows.new_empty(len(rows), len(layers[2]))
    return out, Order(*ends[2:]).at_target(out) if ends else rows.new_empty(0)


@backward_op.register_fake
def _(*given: Any) -> list[Tensor]:
    _, _, _, _, rows, constant, ends, *layers, wants_rows = given
    of_ends = ends[:2] or (rows.new_empty(0), rows.new_empty(0))
    into_rows = torch.empty_like(rows) if wants_rows else rows.new_empty(0)
    return [into_rows, *(torch.empty_like(one) for one in (constant, *of_ends, *layers))]


@register_flop_formula(torch.ops.glassflow.two_layers)
def _(rows: Any, constant: Any, ends: Any, weight: Any, *_: Any, **__: Any) -> int:
    (n, n_inputs), width = rows, weight[0]
    return int(2 * n * width * (n_inputs + width))


@register_flop_formula(torch.ops.glassflow.two_layers_backward)
def _(a: Any, b: Any, c: Any, d: Any, rows: Any, *others: Any, **__: Any) -> int:
    """Those that the gradients need, without what is computed anew."""
    (n, n_inputs), width = rows, others[2][0]
    return int(2 * n * width * (n_inputs + 2 * width + (n_inputs if others[-1] else 0)))
