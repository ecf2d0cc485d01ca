"""The flow CNN: what goes in and what comes out."""

from __future__ import annotations

import pytest
import torch

from dtrain.models import model
from dtrain.models.flow_cnn import FlowCNN
from dtrain.models.norms import NORMS
from runkit.errors import UserError


@pytest.fixture
def network() -> FlowCNN:
    torch.manual_seed(0)
    return FlowCNN(widths=(6, 10, 12)).eval()


@pytest.mark.parametrize("shape", [(16, 16), (24, 8), (13, 21), (5, 40)])
@pytest.mark.parametrize("frames", [1, 3, 4])
def test_any_grid_and_any_number_of_frames_may_come(network, shape, frames):
    (found,) = network(torch.randn(2, 4, frames, *shape))
    assert found.shape == (2, 3, frames, *shape) and torch.isfinite(found).all()


def test_a_larger_grid_gives_the_same_far_from_its_edges(network):
    """Fully convolutional: what a place becomes depends on its surroundings alone."""
    x = torch.randn(1, 4, 3, 96, 96)
    (whole,), (part,) = network(x), network(x[..., 16:80, 16:80])
    torch.testing.assert_close(whole[..., 40:56, 40:56], part[..., 24:40, 24:40])


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_all_parameters_learn(norm, skip):
    network = FlowCNN(widths=(6, 10, 12), skip=skip, norm=norm)
    network(torch.randn(2, 4, 3, 16, 16))[0].square().sum().backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not still


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("periodic", [(0, 16), (24, 0), (24, 16), (0, 0)])
def test_a_shift_along_a_periodic_axis_shifts_the_answer_and_along_no_other(periodic, skip):
    """By the stride of the coarsest layer; a network that is not told of the axis sees its edges."""
    torch.manual_seed(1)
    network = FlowCNN(widths=(6, 10, 12), skip=skip, increments=False, periodic=periodic).eval()
    x = torch.randn(2, 4, 3, 24, 16)
    for axis, is_periodic in zip((-2, -1), map(bool, periodic), strict=True):
        (found,), (shifted,) = network(x), network(x.roll(8, axis))
        assert torch.allclose(shifted, found.roll(8, axis), atol=1e-6) is is_periodic


def test_a_network_of_a_periodic_flow_has_the_weights_of_one_that_is_not():
    """So weights of either can start the other; away from the edges the answers are the same."""
    plain, periodic = FlowCNN(widths=(4,)).eval(), FlowCNN(widths=(4,), periodic=(0, 32)).eval()
    periodic.load_state_dict(plain.state_dict())
    x = torch.randn(1, 4, 3, 16, 32)
    (a,), (b,) = plain(x), periodic(x)
    torch.testing.assert_close(a[..., 4:-4], b[..., 4:-4])
    assert not torch.allclose(a, b)


@pytest.mark.parametrize("periodic", [(0, 12), (-8, 0), (8,), "xy", (8.0, 0)])
def test_a_period_that_cannot_be_halved_to_the_end_is_refused(periodic):
    with pytest.raises(UserError, match=r"no multiple of 8 .*data.periodic = false|two whole numbers"):
        model.build("flow-cnn", widths=[4, 4, 4], periodic=periodic)
    with pytest.raises(UserError, match=r"12 cells along y, .* no multiple of 8"):
        FlowCNN(widths=(4, 4, 4), periodic=(0, 16))(torch.zeros(1, 4, 3, 8, 12))


def test_input_and_output_layers_are_not_normalised():
    layers = [type(layer).__name__ for layer in FlowCNN().modules()]
    assert layers.count("BatchNorm") == 4 and layers.count("Tanh") == 5
    assert layers.count("Conv3d") == layers.count("ConvTranspose3d") == 3


def test_skip_connections_are_what_an_ablation_takes_away():
    """Without them, all that is known of a place must pass through the coarsest layer."""
    x = torch.randn(1, 4, 3, 16, 16)
    for skip in (True, False):
        network = FlowCNN(widths=(6, 10, 12), skip=skip, increments=False).eval()
        with torch.no_grad():
            network.down[2][0].weight.zero_()
        (found,), (other,) = network(x), network(2 * x)
        assert torch.equal(found, other) is not skip


def test_a_fresh_network_with_increments_predicts_about_the_last_frame(network):
    x = torch.randn(2, 4, 3, 16, 16)
    (found,) = network(x)
    assert (found - x[:, :3, -1:]).std() < 0.2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"widths": []}, "widths = "),
        ({"widths": [8, 0]}, "widths[1] = 0 is not allowed; allowed: a whole number from 1"),
        ({"norm": "layer"}, "allowed: batch, group, none"),
        ({"width": 8}, "did you mean 'widths'?"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    with pytest.raises(UserError) as error:
        model.build("flow-cnn", **parameters)
    assert message in str(error.value)
