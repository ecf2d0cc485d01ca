"""Two linear layers with ReLU on the CPU, some rows at a time, so that hidden activations never leave the cache.

Arrays are flat. Weights of the forward pass have a row for every input, those that gradients are taken back with
(`back`) a row for every output, as torch has them. `ends` is None, or what both ends of an edge add to the first layer
and their numbers: (of_source, of_target, source, target). A NaN stays a NaN.
"""

from dtrain.kernels.cpu.products import add_product
from runkit.simd.comparisons import maximum, where_below
from runkit.simd.compiled import kernel
from runkit.simd.lanes import LANES, load, store, zeros
from runkit.simd.parts import part

BLOCK = 96  # rows at a time, a multiple of a tile's: four arrays of them, 64 wide, take 100 KB


@part
def _hidden(hidden, rows, n_inputs, constant, constant_row, ends, weight, width, first, n):
    """The activations of the first layer for n rows from the first one on."""
    for i in range(n):
        row = first + i
        for j in range(0, width, LANES):
            store(hidden, i * width + j, load(constant, row * constant_row + j))
        if ends is not None:
            of_source, of_target, source, target = ends
            s, t = source[row] * width, target[row] * width
            for j in range(0, width, LANES):
                both = load(of_source, s + j) + load(of_target, t + j)
                store(hidden, i * width + j, load(hidden, i * width + j) + both)
    of_rows = first * n_inputs
    add_product(hidden, 0, width, rows, of_rows, n_inputs, 1, weight, 0, width, n, width, n_inputs)
    nothing = zeros(hidden)
    for j in range(0, n * width, LANES):
        store(hidden, j, maximum(nothing, load(hidden, j)))


@kernel
def forward(rows, n_inputs, constant, constant_row, ends, weights, out, arriving, hidden, span):
    """Set `out` for the rows of a span, and add it up at the targets of edges in `arriving`."""
    weight, weight_2, bias_2 = weights
    width, nothing = len(bias_2), zeros(out)
    for first in range(span[0], span[1], BLOCK):
        n = min(BLOCK, span[1] - first)
        _hidden(hidden, rows, n_inputs, constant, constant_row, ends, weight, width, first, n)
        for row in range(first, first + n):
            for j in range(0, width, LANES):
                store(out, row * width + j, load(bias_2, j))
        add_product(out, first * width, width, hidden, 0, width, 1, weight_2, 0, width, n, width, width)
        for j in range(first * width, (first + n) * width, LANES):
            store(out, j, maximum(nothing, load(out, j)))
        if ends is not None:
            target = ends[3]
            for row in range(first, first + n):
                t = target[row] * width
                for j in range(0, width, LANES):
                    store(arriving, t + j, load(arriving, t + j) + load(out, row * width + j))


@part
def _into_second(into, of_out, of_arriving, out, ends, into_bias, width, first, n):
    """Gradients before the second ReLU, and their sum."""
    nothing = zeros(out)
    for i in range(n):
        row = first + i
        for j in range(0, width, LANES):
            store(into, i * width + j, load(of_out, row * width + j))
        if ends is not None:
            target = ends[3]
            t = target[row] * width
            for j in range(0, width, LANES):
                store(into, i * width + j, load(into, i * width + j) + load(of_arriving, t + j))
        for j in range(0, width, LANES):
            passed = where_below(load(into, i * width + j), nothing, load(out, row * width + j))
            store(into, i * width + j, passed)
            store(into_bias, j, load(into_bias, j) + passed)


@part
def _into_first(into, hidden, of_constant, into_constant, constant_row, ends, into_ends, width, first, n):
    """Gradients before the first ReLU, and what is added in the first layer takes of them."""
    nothing = zeros(hidden)
    for i in range(n):
        row = first + i
        for j in range(0, width, LANES):
            passed = where_below(load(into, i * width + j), nothing, load(hidden, i * width + j))
            store(into, i * width + j, passed)
            at = row * constant_row + j
            store(into_constant, at, load(of_constant, at) + passed)
        if ends is not None:
            _, _, source, target = ends
            into_source, into_target = into_ends
            s, t = source[row] * width, target[row] * width
            for j in range(0, width, LANES):
                passed = load(into, i * width + j)
                store(into_source, s + j, load(into_source, s + j) + passed)
                store(into_target, t + j, load(into_target, t + j) + passed)


@part
def _clear(array, start, stop):
    nothing = zeros(array)
    for j in range(start, stop, LANES):
        store(array, j, nothing)


@kernel
def backward(
    of_out,
    of_arriving,
    of_constant,
    out,
    rows,
    n_inputs,
    constant,
    constant_row,
    ends,
    weight,
    back,
    into_rows,
    into,
    scratch,
    span,
):
    """Gradients for the rows of a span, whose hidden activations are computed anew.

    `into_rows` is set unless it is None; `into` are constant, ends (None or two), weight, weight_2 and bias_2, which
    are added to. With a constant for each row, its gradient is `of_constant` plus what is added; else both are one.
    """
    into_constant, into_ends, into_weight, into_weight_2, into_bias_2 = into
    hidden, second, of_hidden = scratch
    width = len(into_bias_2)
    for first in range(span[0], span[1], BLOCK):
        n = min(BLOCK, span[1] - first)
        start = first * n_inputs
        _hidden(hidden, rows, n_inputs, constant, constant_row, ends, weight, width, first, n)
        _into_second(second, of_out, of_arriving, out, ends, into_bias_2, width, first, n)
        add_product(into_weight_2, 0, width, hidden, 0, 1, width, second, 0, width, width, width, n)
        _clear(of_hidden, 0, n * width)
        add_product(of_hidden, 0, width, second, 0, width, 1, back[1], 0, width, n, width, width)
        _into_first(of_hidden, hidden, of_constant, into_constant, constant_row, ends, into_ends, width, first, n)
        add_product(into_weight, 0, width, rows, start, 1, n_inputs, of_hidden, 0, width, n_inputs, width, n)
        if into_rows is not None:
            _clear(into_rows, start, start + n * n_inputs)
            add_product(into_rows, start, n_inputs, of_hidden, 0, width, 1, back[0], 0, n_inputs, n, n_inputs, width)
