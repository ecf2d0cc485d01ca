"""Two layers on the CPU: tensors as flat arrays, rows shared out to threads; `cpu/two_layers.py` computes.

Rows are cut into spans, whatever the number of threads. Each adds what many rows share up in arrays of its own, which
are summed in their order: so the result is the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dtrain.kernels.cpu import two_layers as kernels
from dtrain.kernels.on_torch import Layers
from runkit.arrays import Array
from runkit.simd.lanes import LANES

SPANS, LEAST = 4, 256  # spans at most, and rows of each at least: each has arrays of the size of all nodes


def are_vectors(width: int) -> bool:
    """Whether rows of this width are whole vectors, which the kernels need."""
    return width % LANES == 0


def forward(
    rows: Tensor, constant: Tensor, ends: Sequence[Tensor], layers: Layers, out: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """See `dtrain.kernels.two_layers.forward_op`; `out` may be contiguous rows, which are overwritten."""
    n, width = len(rows), len(layers.bias_2)
    out = rows.new_empty(n, width) if out is None or not out.is_contiguous() else out
    shape = ends[0].shape if ends else (0,)
    weights = _flat(layers.weight.t()), _flat(layers.weight_2.t()), _flat(layers.bias_2)
    given = *_inputs(rows, constant, ends), weights, _flat(out)

    def work(span: tuple[int, int]) -> Tensor:
        arriving, hidden = rows.new_zeros(shape), rows.new_empty(kernels.BLOCK * width)
        kernels.forward(*given, _flat(arriving), _flat(hidden), span)
        return arriving

    return out, _total([part] for part in _shared(work, n))[0]


def backward(
    gradients: tuple[Tensor, Tensor | None, Tensor | None],
    out: Tensor,
    rows: Tensor,
    constant: Tensor,
    ends: Sequence[Tensor],
    layers: Layers,
    wants_rows: bool,
) -> list[Tensor]:
    """See `dtrain.kernels.two_layers.backward_op`."""
    (n, n_inputs), width = rows.shape, len(layers.bias_2)
    of_out, of_arriving, of_constant = gradients
    shapes = [*(end.shape for end in ends[:2]), (n_inputs, width), (width, width), (width,)]
    is_shared = constant.dim() == 1  # a bias: all rows add to it
    into_constant = torch.empty_like(constant)
    into_rows = torch.empty_like(rows) if wants_rows else None
    if of_arriving is None and ends:
        of_arriving = torch.zeros_like(ends[0])
    of_constant = torch.zeros_like(constant) if of_constant is None else of_constant
    given = *_inputs(rows, constant, ends), _flat(layers.weight.t()), (_flat(layers.weight), _flat(layers.weight_2))
    of_rows = None if into_rows is None else _flat(into_rows)
    before = _flat(of_out), None if of_arriving is None else _flat(of_arriving)

    def work(span: tuple[int, int]) -> list[Tensor]:
        own = torch.zeros_like(constant) if is_shared else into_constant
        sums = [rows.new_zeros(shape) for shape in shapes]
        scratch = tuple(_flat(rows.new_empty(kernels.BLOCK * width)) for _ in range(3))
        *into_ends, weight, weight_2, bias_2 = map(_flat, sums)
        into = _flat(own), tuple(into_ends) or None, weight, weight_2, bias_2
        of_own = _flat(own if is_shared else of_constant)
        kernels.backward(*before, of_own, _flat(out), *given, of_rows, into, scratch, span)
        return [*([own] if is_shared else []), *sums]

    sums = _total(_shared(work, n))
    if is_shared:
        into_constant = sums.pop(0) + of_constant
    *into_ends, weight, weight_2, bias_2 = sums
    into_ends = into_ends or [rows.new_empty(0), rows.new_empty(0)]
    into = rows.new_empty(0) if into_rows is None else into_rows
    return [into, into_constant, *into_ends, weight.t().contiguous(), weight_2.t().contiguous(), bias_2]


def _inputs(rows: Tensor, constant: Tensor, ends: Sequence[Tensor]) -> tuple[Any, ...]:
    """Rows, their width, constants, from one to the next of these, and the ends, as kernels take them."""
    of_ends = tuple(_flat(one) for one in ends[:4]) or None
    return _flat(rows), rows.shape[1], _flat(constant), constant.shape[1] if constant.dim() == 2 else 0, of_ends


def _flat(tensor: Tensor) -> Array:
    found: Array = tensor.detach().contiguous().view(-1).numpy()
    return found


def _total(parts: Iterable[list[Tensor]]) -> list[Tensor]:
    """The sums over all parts; one after the other, so that few of them are there at a time."""
    total: list[Tensor] = []
    for part in parts:
        total = [before.add_(own) for before, own in zip(total, part, strict=True)] if total else part
    return total


def _shared(work: Callable[[tuple[int, int]], Any], n: int) -> Iterator[Any]:
    """What work gives for spans of n rows, by as many threads as torch has."""
    spans = pairwise(np.linspace(0, n, min(SPANS, max(1, n // LEAST)) + 1).astype(int).tolist())
    n_threads = torch.get_num_threads()
    return map(work, spans) if n_threads == 1 else _pool(n_threads).map(work, spans)


@cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="rows")
