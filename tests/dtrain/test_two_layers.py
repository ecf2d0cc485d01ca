"""Two layers over many rows: kernels and torch's operations give the function and the gradients of the formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear, relu

from dtrain.kernels import on_torch
from dtrain.kernels.cpu import products
from dtrain.kernels.order import Order, ordered
from dtrain.kernels.two_layers import Layers, edge_layers, two_layers
from runkit.simd.lanes import LANES

WIDTHS = [LANES, 5]  # whole vectors, for which there are kernels, and others


@pytest.fixture(params=WIDTHS, ids=["kernels", "torch"])
def width(request) -> int:
    return request.param


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def _threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def numbers(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype)


def layers_of(n_inputs: int, width: int, dtype: torch.dtype = torch.float64) -> Layers:
    return Layers(*(numbers(*shape, dtype=dtype) for shape in ((width, n_inputs), (width, width), (width,))))


def random_edges(n_nodes: int, n_edges: int) -> Order:
    """The order of edges between particles at random, the last of which has none."""
    return ordered(torch.randint(0, n_nodes - 1, (2, n_edges)), n_nodes)[1]


def formula(edge: Tensor, constant: Tensor, of_ends: tuple[Tensor, Tensor], order: Order, layers: Layers):
    hidden = linear(edge, layers.weight) + constant + of_ends[0][order.source] + of_ends[1][order.target]
    out = relu(linear(relu(hidden), layers.weight_2, layers.bias_2))
    return out, torch.zeros_like(of_ends[0]).index_add(0, order.target, out)


@pytest.fixture(autouse=True)
def _same_numbers():
    torch.manual_seed(3)


@pytest.mark.usefixtures("_threads")
def test_gradients_of_edges_are_those_of_differences(width):
    order = random_edges(4, 7)
    tensors = [numbers(7, width), numbers(7, width), numbers(4, width), numbers(4, width), *layers_of(width, width)]

    def twice(edge, constant, of_source, of_target, *layers):
        """The constant is used again, and all outputs count."""
        edge, first, constant = edge_layers(edge, constant, (of_source, of_target), order, Layers(*layers))
        edge, second, _ = edge_layers(edge, constant, (of_source, of_target + first), order, Layers(*layers))
        return edge, second

    assert torch.autograd.gradcheck(twice, [tensor.requires_grad_() for tensor in tensors])


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("n_inputs", [3, LANES])
def test_gradients_of_rows_are_those_of_differences(width, n_inputs):
    tensors = [numbers(6, n_inputs), numbers(width), *layers_of(n_inputs, width)]
    assert torch.autograd.gradcheck(
        lambda rows, bias, *layers: two_layers(rows, bias, Layers(*layers)), [one.requires_grad_() for one in tensors]
    )


@pytest.mark.usefixtures("_threads")
def test_gradients_of_weights_alone_are_those_of_differences(width):
    rows, tensors = numbers(6, 3), [numbers(width), *layers_of(3, width)]
    assert torch.autograd.gradcheck(
        lambda bias, *layers: two_layers(rows, bias, Layers(*layers)), [one.requires_grad_() for one in tensors]
    )


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("n_edges", [0, 1, 95, 300])
def test_edges_in_blocks_give_the_formula_to_single_precision(n_edges):
    for width in (LANES, 4 * LANES, 7 * LANES):
        order, single = random_edges(9, n_edges), torch.float32
        edge, constant = (numbers(n_edges, width, dtype=single) for _ in "ec")
        of_ends = numbers(9, width, dtype=single), numbers(9, width, dtype=single)
        layers = layers_of(width, width, single)
        found = edge_layers(edge, constant, of_ends, order, layers)[:2]
        for ours, wanted in zip(found, formula(edge, constant, of_ends, order, layers), strict=True):
            torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4 * width)


def test_without_gradients_edges_are_overwritten_by_the_same_values(width):
    order, layers = random_edges(5, 120), layers_of(width, width)
    edge, constant, of_ends = numbers(120, width), numbers(120, width), (numbers(5, width), numbers(5, width))
    wanted = edge_layers(edge.clone(), constant, of_ends, order, layers)
    with torch.no_grad():
        found = edge_layers(edge, constant, of_ends, order, layers)
    assert found[0].data_ptr() == edge.data_ptr()
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)


def test_what_is_no_number_stays_none(width):
    rows = numbers(4, 3)
    rows[2, 1] = float("nan")
    out = two_layers(rows, numbers(width), layers_of(3, width))
    assert out[2].isnan().all() and out[[0, 1, 3]].isfinite().all()


def test_an_order_sorts_by_target_and_leaves_the_edges_of_one_as_they_come():
    edge_index = torch.tensor([[3, 0, 2, 0, 1], [1, 2, 1, 0, 2]])
    places, order = ordered(edge_index, 5)
    assert places.tolist() == [3, 0, 2, 1, 4]
    assert order.source.tolist() == [0, 3, 2, 0, 1] and order.target.tolist() == [0, 1, 1, 2, 2]
    assert order.starts.tolist() == [0, 1, 3, 5, 5, 5] and order.source_starts.tolist() == [0, 2, 3, 4, 5, 5]
    values = torch.arange(5.0)[:, None]
    assert order.at_target(values).flatten().tolist() == [0, 3, 7, 0, 0]
    assert order.at_source(values).flatten().tolist() == [3, 4, 2, 1, 0]


def test_sums_of_half_precision_are_taken_in_single():
    _, order = ordered(torch.zeros(2, 400, dtype=torch.int64), 1)
    found = order.at_target(torch.full((400, 1), 1.0, dtype=torch.bfloat16))
    assert found.dtype == torch.float32 and found.item() == 400.0


@pytest.mark.parametrize("rows", [1, products.ROWS, 2 * products.ROWS + 1])
@pytest.mark.parametrize("columns", [LANES, products.WIDE * LANES, (products.WIDE + 1) * LANES])
def test_a_product_of_any_shape_is_added(rows, columns):
    from runkit.simd.compiled import kernel

    @kernel
    def add(out, a, b, n_rows, n_columns, count):
        products.add_product(out, 0, n_columns, a, 0, count, 1, b, 0, n_columns, n_rows, n_columns, count)

    a, b, out = numbers(rows, 3), numbers(3, columns), numbers(rows, columns)
    wanted = out + a @ b
    add(out.view(-1).numpy(), a.view(-1).numpy(), b.view(-1).numpy(), rows, columns, 3)
    torch.testing.assert_close(out, wanted)


def test_in_half_precision_gradients_have_the_types_of_what_they_belong_to():
    order, layers = random_edges(6, 200), layers_of(5, 5, torch.float32)
    exact = [numbers(200, 5), numbers(200, 5), numbers(6, 5), numbers(6, 5), *layers]
    found = {}
    for dtype in (torch.float64, torch.bfloat16):
        edge, constant, *of_ends, weight, weight_2, bias_2 = (one.to(dtype) for one in exact)
        ends, all_layers = [*of_ends, *order], (weight, weight_2, bias_2)
        out, arriving = on_torch.forward(edge, constant, ends, all_layers)
        gradients = on_torch.backward((out, arriving, constant), out, edge, constant, ends, all_layers, True)
        assert out.dtype == dtype and {one.dtype for one in gradients} == {dtype}
        found[dtype] = [out, arriving, *gradients]
    for half, double in zip(*reversed(found.values()), strict=True):
        assert (half.double() - double.double()).norm() < 0.05 * double.double().norm()
