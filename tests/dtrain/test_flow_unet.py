"""The U-Net for flow: what goes in and what comes out."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import gelu

from dtrain.models import model
from dtrain.models.flow_cnn import FlowCNN
from dtrain.models.flow_unet import FlowUNet, Residual
from dtrain.models.norms import NORMS
from dtrain.models.stream_function import curl
from runkit.errors import UserError

SMALL = {"widths": (6, 8), "fine": 5, "dilations": (1, 4)}


def built(**parameters) -> FlowUNet:
    torch.manual_seed(0)
    return FlowUNet(**{**SMALL, **parameters}).eval()


@pytest.mark.parametrize("shape", [(16, 16), (24, 8), (13, 21), (5, 40)])
@pytest.mark.parametrize("frames", [1, 3])
def test_any_grid_may_come_and_as_many_frames_come_out_as_went_in(shape, frames):
    (found,) = built(frames=frames)(torch.randn(2, 4, frames, *shape))
    assert found.shape == (2, 3, frames, *shape) and torch.isfinite(found).all()


def test_another_number_of_frames_is_refused():
    with pytest.raises(UserError, match=r"2 frames were given to a network of 3"):
        built()(torch.zeros(1, 4, 2, 8, 8))


@pytest.mark.parametrize("gated", [False, True])
def test_a_network_has_at_most_300_thousand_parameters_by_default(gated):
    assert 150_000 < sum(p.numel() for p in FlowUNet(gated=gated).parameters()) <= 300_000


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_all_parameters_learn(norm, gated):
    network = built(norm=norm, gated=gated, widths=(6, 8, 10), blocks=2).train()
    network(torch.randn(2, 4, 3, 16, 16))[0].square().sum().backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not still


def test_a_gated_block_multiplies_channels_with_others():
    """Nothing is added where one half of them is nothing, and twice as much where it is doubled."""
    torch.manual_seed(0)
    block = Residual(6, norm="none", axes=(False, False), gated=True)
    first, second = block.convolutions
    x, half = torch.randn(1, 6, 5, 7), first.out_channels // 2
    given = first(gelu(x))
    torch.testing.assert_close(block(x), x + second(given[:, :half] * gelu(given[:, half:])))
    with torch.no_grad():
        second.bias.zero_()
        added = block(x) - x
        first.weight[:half] *= 2
        first.bias[:half] *= 2
        torch.testing.assert_close(block(x) - x, 2 * added)
        first.weight[half:] = first.bias[half:] = 0
        assert torch.equal(block(x), x)


def test_a_uniform_flow_gets_a_uniform_answer_and_not_a_checkerboard():
    """Far from the edges; the deconvolutions of the flow CNN give cells of different parity different answers."""
    x = torch.randn(1, 4, 3, 1, 1, generator=torch.Generator().manual_seed(1)).expand(-1, -1, -1, 96, 96)
    torch.manual_seed(0)
    (ours,), (theirs,) = built()(x), FlowCNN(widths=(6, 8)).eval()(x)
    inner = [found[..., 40:56, 40:56].detach() for found in (ours, theirs)]
    spread = [float(found.std(dim=(-2, -1)).max()) for found in inner]
    assert spread[0] < 1e-6 and spread[1] > 1e-3


def test_the_last_frame_and_what_does_not_change_in_time_are_what_counts_of_the_geometry():
    """Geometry is read from the first frame alone, all frames of the flow are read."""
    network, x = built(), torch.randn(1, 4, 3, 16, 16)
    (found,) = network(x)
    for channel, frame, matters in ((3, 2, False), (3, 0, True), (1, 0, True), (1, 2, True)):
        changed = x.clone()
        changed[:, channel, frame] += 1
        assert torch.equal(network(changed)[0], found) is not matters


@pytest.mark.parametrize("periodic", [(0, 16), (24, 0), (24, 16), (0, 0)])
def test_a_shift_along_a_periodic_axis_shifts_the_answer_and_along_no_other(periodic):
    """By the stride of the coarsest layer; a network that is not told of the axis sees its edges."""
    network, x = built(periodic=periodic, increments=False), torch.randn(2, 4, 3, 24, 16)
    for axis, is_periodic in zip((-2, -1), map(bool, periodic), strict=True):
        (found,), (shifted,) = network(x), network(x.roll(4, axis))
        assert torch.allclose(shifted, found.roll(4, axis), atol=1e-6) is is_periodic


def test_a_dilation_beyond_a_short_periodic_axis_goes_round_it():
    network = built(periodic=(8, 8), dilations=(5,))
    x = torch.randn(1, 4, 3, 8, 8)
    torch.testing.assert_close(network(x.roll(4, -1))[0], network(x)[0].roll(4, -1))


def test_a_fresh_network_with_increments_predicts_about_the_last_frame():
    x = torch.randn(2, 4, 3, 32, 32)
    (found,) = built()(x)
    assert (found - x[:, :3, -1:]).square().mean() < 0.1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"widths": []}, r"widths = \[\]"),
        ({"dilations": [0]}, r"dilations\[0\] = 0"),
        ({"fine": -1}, r"fine = -1"),
        ({"norm": "layer"}, r"norm = 'layer'.*batch, group, none"),
        ({"increments": 1}, r"increments = 1"),
        ({"periodic": [6, 0]}, r"6 cells along x, which is periodic, are no multiple of 4"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    with pytest.raises(UserError, match=message):
        model.build("flow-unet", **parameters)


def divergence(frames: torch.Tensor, spreads: tuple[float, float]) -> torch.Tensor:
    """Of physical velocities by central differences, in cells off the edges."""
    u, v = frames[:, 1] * spreads[0], frames[:, 2] * spreads[1]
    return (u[..., 2:, 1:-1] - u[..., :-2, 1:-1] + v[..., 1:-1, 2:] - v[..., 1:-1, :-2]) / 2


@pytest.mark.parametrize("periodic", [(0, 0), (0, 16)])
def test_with_a_stream_function_the_divergence_stays_that_of_the_last_given_frame(periodic):
    """Also where velocities x and y have different units; without one the network changes it."""
    x, spreads = torch.randn(2, 4, 3, 24, 16), (0.3, 0.02)
    for stream in (True, False):
        (found,) = built(stream=stream, spreads=spreads, periodic=periodic)(x)
        change = divergence(found, spreads) - divergence(x[:, :, -1:], spreads)
        assert bool(change.abs().max() < 1e-6) is stream
        assert not torch.allclose(found[:, 1:], x[:, 1:3, -1:].expand_as(found[:, 1:]), atol=1e-3)


def test_a_uniform_flow_has_a_stream_function_up_to_the_edges():
    """The curl of a plane is constant."""
    x, y = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="ij")
    found = curl((0.5 * y - 0.25 * x).view(1, 1, 1, 6, 5), (False, False), (1.0, 1.0))
    torch.testing.assert_close(found[0, :, 0], torch.tensor([0.5, 0.25]).view(2, 1, 1).expand(2, 6, 5))
