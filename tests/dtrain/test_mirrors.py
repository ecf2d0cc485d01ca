"""Symmetry planes: a network sees the mirror image of the flow beyond them, and no stream function crosses them."""

from __future__ import annotations

import pytest
import torch

from dtrain.data.flow import Flow
from dtrain.data.flow_options import FlowOptions
from dtrain.models import model
from dtrain.models.flow_unet import FlowUNet
from dtrain.models.mirrors import NO_PLANES, inner, with_images
from dtrain.models.stream_function import curl
from runkit.errors import UserError
from tests.flow_factory import write_flow

BOTH_Y, LOW_X = ((False, False), (True, True)), ((True, False), (False, False))


def built(**parameters) -> FlowUNet:
    torch.manual_seed(0)
    return FlowUNet(**{"widths": (6, 8), "fine": 5, "dilations": (1, 4), "increments": False, **parameters}).eval()


def doubled(x: torch.Tensor, axis: int, velocity: int) -> torch.Tensor:
    """A flow and its whole image below the low end of an axis."""
    image = x.flip(axis)
    image[:, velocity] *= -1
    return torch.cat([image, x], axis)


@pytest.mark.parametrize(("planes", "axis", "velocity"), [(LOW_X, -2, 1), (((False, False), (True, False)), -1, 2)])
def test_a_network_at_a_plane_answers_as_one_that_is_given_the_flow_and_its_image(planes, axis, velocity):
    """Of all cells, so that both see the same; without images the edge is seen."""
    x = torch.randn(2, 4, 3, 16, 16)
    (whole,) = built()(doubled(x, axis, velocity))
    (found,) = built(planes=planes, images=16)(x)
    torch.testing.assert_close(found, whole.narrow(axis, 16, 16))
    assert not torch.allclose(built(planes=planes)(x)[0], found, atol=1e-3)


@pytest.mark.parametrize("reach", [1, 4, 100])
def test_images_of_any_reach_leave_the_flow_itself_as_it_was(reach):
    x = torch.randn(1, 11, 12, 7)
    both = with_images(x, ((True, True), (True, True)), reach, 3)
    assert both.shape[-2:] == (12 + 2 * min(reach, 12), 7 + 2 * min(reach, 7))
    assert torch.equal(inner(both, ((True, True), (True, True)), reach, (12, 7)), x)
    assert torch.equal(with_images(x, NO_PLANES, reach, 3), x)


def test_a_flow_and_its_mirror_image_have_mirrored_images():
    """Velocities along y are channels 6 to 8; what comes after has no direction."""
    x = torch.randn(1, 11, 8, 10)
    turned = x.flip(-1)
    turned[:, 6:9] *= -1
    there = with_images(turned, BOTH_Y, 4, 3).flip(-1)
    there[:, 6:9] *= -1
    assert torch.equal(there, with_images(x, BOTH_Y, 4, 3))


def test_between_two_planes_a_stream_function_changes_no_flow_rate():
    """The sum of velocity x over y; where there is no plane it does change."""
    stream = torch.randn(2, 1, 3, 9, 11)
    for planes, is_kept in ((BOTH_Y, True), (NO_PLANES, False), (((False, False), (True, False)), False)):
        rate = curl(stream, (False, False), (1.0, 1.0), planes)[:, 0].sum(-1)
        assert bool(rate.abs().max() < 1e-5) is is_kept


def test_beside_a_plane_a_stream_function_is_that_of_the_flow_and_its_image():
    stream = torch.randn(2, 1, 3, 9, 11)
    whole = curl(torch.cat([-stream.flip(-2), stream], -2), (False, False), (0.3, 0.2))
    torch.testing.assert_close(curl(stream, (False, False), (0.3, 0.2), LOW_X), whole[..., 9:, :])


@pytest.mark.parametrize(
    ("faces", "planes"),
    [
        ({}, [[False, False], [False, False]]),
        ({"y_low": {"kind": "free-slip"}, "y_high": {"kind": "wall"}}, [[False, False], [True, False]]),
    ],
)
def test_the_faces_of_the_file_say_where_planes_are(tmp_path, faces, planes):
    write_flow(tmp_path / "flow.h5", config={"boundaries": faces})
    assert Flow(FlowOptions(file=str(tmp_path / "flow.h5"))).sizes["planes"] == planes


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"images": -1}, r"images = -1 is not allowed; allowed: a whole number from 0"),
        ({"planes": [[True, False]]}, r"planes = .*two pairs of true or false"),
        ({"planes": [[1, 0], [0, 0]]}, r"planes = .*two pairs of true or false"),
        ({"images": 4, "outputs": 2}, r"3 outputs are needed"),
    ],
)
def test_a_wrong_parameter_is_named(parameters, message):
    with pytest.raises(UserError, match=message):
        model.build("flow-unet", **parameters)
