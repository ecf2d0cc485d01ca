"""The network's own flow in training, and the errors of its statistics."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from dtrain.data.flow import Flow
from dtrain.data.flow_cloud import FlowCloud, FlowCloudLoss, FlowCloudOptions
from dtrain.data.flow_options import FlowLoss, FlowOptions
from dtrain.data.free_running import statistics_error
from runkit.errors import UserError
from tests.flow_factory import write_flow


class Grows(nn.Module):
    """Adds the same number to all that it is given, in every call."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, *_: Tensor) -> tuple[Tensor]:
        return (x[:, :3] + self.step,)


@pytest.fixture
def flow(flow_file) -> Flow:
    options = {"file": str(flow_file), "unroll": 2, "through": True, "free": {"calls": 5, "window": 3}}
    return Flow(FlowOptions.model_validate(options), seed=1)


def wave(amplitude: float = 1.0, period: float = 8.0, phase: float = 0.0) -> Tensor:
    """Two clips of 48 frames of a wave that travels along x."""
    time, x = torch.arange(48.0)[:, None, None], torch.arange(16.0)[None, :, None]
    frames = amplitude * torch.sin(2 * math.pi * (x / 16 - time / period) + phase)
    return frames.expand(2, 3, 48, 16, 4)


def error(found: Tensor, wanted: Tensor) -> float:
    return float(statistics_error(found, wanted, torch.ones(2, 1, 1, 16, 4)).mean())


def test_the_errors_of_statistics_know_mean_amplitude_and_frequency_and_not_the_phase():
    assert error(wave(phase=1.0), wave()) < 1e-4
    assert error(wave() + 0.5, wave()) == pytest.approx(0.25, rel=1e-3)
    change = 2 * math.sin(math.pi / 8)
    assert error(wave(amplitude=0.5), wave()) == pytest.approx((1 + change**2) / 8, rel=1e-2)
    faster = 2 * math.sin(math.pi / 6) - change
    assert error(wave(period=6.0), wave()) == pytest.approx(faster**2 / 2, rel=1e-2)


def test_only_cells_with_fluid_count_in_the_errors_of_statistics():
    fluid = torch.ones(2, 1, 1, 16, 4)
    fluid[..., 2:] = 0
    found = wave().clone()
    found[..., 2:] += 7
    assert float(statistics_error(found, wave(), fluid).max()) < 1e-6


def test_the_own_flow_comes_after_calls_without_gradients(flow):
    """After 2 predicted and 5 free calls, those of the window alone have gradients: the first has 1, the third 3."""
    network, batch = Grows(), flow.batch(flow.split["train"][:2], [0, 0])
    frames, own = flow.output(network, batch)
    start, fluid = batch.given[:, :, -1:], batch.fluid > 0
    assert frames.shape[2] == 6 and own.shape[2] == 9
    for call in range(3):
        (there,) = torch.where(fluid[0, 0, 0].flatten())[0][:1]
        value = own[0, 0, 3 * call + 2].flatten()[there]
        torch.testing.assert_close(value, start[0, 0, 0].flatten()[there] + 2 + 5 + call + 1)
        assert torch.autograd.grad(value, network.step, retain_graph=True)[0].item() == call + 1


def test_the_weight_of_statistics_scales_their_part_of_the_loss_and_a_validation_has_none(flow):
    network, batch = Grows(), flow.batch(flow.split["train"][:2], [0, 0])
    output = flow.output(network, batch)
    none, twice = (flow.loss(output, batch, FlowLoss(statistics=weight)) for weight in (0.0, 2.0))
    assert (none["statistics_loss"] > 0).all()
    torch.testing.assert_close(twice["loss"] - none["loss"], 2 * none["statistics_loss"])
    with torch.no_grad():
        held_back = flow.batch(flow.split["validation"][:1])
        output = flow.output(network, held_back)
        assert len(output) == 1 and output[0].shape == held_back.target.shape
        assert "statistics_loss" not in flow.loss(output, held_back, FlowLoss())


def test_predicted_frames_are_held_to_the_first_frames_of_a_clip_that_is_longer_than_they_are(flow):
    network, batch = Grows(), flow.batch(flow.split["train"][:2], [0, 0])
    output = flow.output(network, batch)
    value = flow.loss(output, batch, FlowLoss(gradient=0.0))["value_loss"]
    squares = (output[0] - batch.target[:, :, :6]).square() * batch.fluid
    torch.testing.assert_close(value, squares.sum((1, 2, 3, 4)) / (batch.fluid.sum((1, 2, 3, 4)) * 18))


def test_one_frame_per_call_over_the_shortest_window_has_finite_gradients(flow_file):
    """A change needs two frames; a window of one call, which may give but one, is refused."""
    options = {"file": str(flow_file), "frames": 1, "free": {"calls": 1, "window": 2}}
    flow, network = Flow(FlowOptions.model_validate(options), seed=1), Grows()
    batch = flow.batch(flow.split["train"][:2], [0, 0])
    losses = flow.loss(flow.output(network, batch), batch, FlowLoss())
    losses["loss"].sum().backward()
    assert losses["loss"].isfinite().all() and network.step.grad.isfinite() and network.step.grad != 0
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        FlowOptions.model_validate(options | {"free": {"calls": 1, "window": 1}})


def test_an_own_flow_whose_statistics_have_no_weight_is_refused(flow):
    flow.require(FlowLoss())
    with pytest.raises(UserError, match=r"loss\.statistics = 0 with data\.free\.calls = 5: .*; allowed: "):
        flow.require(FlowLoss(statistics=0.0))


def test_a_window_that_is_longer_than_a_case_is_told_by_its_key(flow_file):
    options = {"file": str(flow_file), "free": {"calls": 1, "window": 50}}
    with pytest.raises(UserError, match=r"153 frames .* lower data\.frames .* or data\.free\.window \(50\)"):
        Flow(FlowOptions.model_validate(options), seed=1).require(FlowLoss())


def test_of_a_cloud_the_statistics_of_the_grid_alone_count(tmp_path):
    """Points have their own part of the loss, for predicted frames; an own flow that is wrong there changes none."""
    options = {"file": str(write_flow(tmp_path / "flow.h5", n_points=240)), "free": {"calls": 2, "window": 2}}
    cloud = FlowCloud(FlowCloudOptions.model_validate(options), seed=1)
    batch = cloud.batch(cloud.split["train"][:2], [0, 0])
    frames, own = cloud.output(Grows(), batch)
    losses = cloud.loss((frames, own), batch, FlowCloudLoss())
    assert own.shape == (2, 3, 6, batch.fluid.shape[-1]) and (losses["points_loss"] > 0).all()
    wanted = batch.target[:, :, :6]
    on_grid = (cloud.cells(values) for values in (own, wanted))
    torch.testing.assert_close(losses["statistics_loss"], statistics_error(*on_grid, cloud.cells(batch.fluid)))
    points = torch.zeros_like(own)
    points[..., : cloud.n_points] = 7.0
    changed = cloud.loss((frames, own + points), batch, FlowCloudLoss())
    for name, value in losses.items():
        torch.testing.assert_close(changed[name], value)
