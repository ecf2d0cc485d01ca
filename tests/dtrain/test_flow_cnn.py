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
