"""Normalisation of channels on one process and on several."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from dtrain.models.flow_cnn import FlowCNN
from dtrain.models.norms import NORMS, BatchNorm, norm_layer
from runkit.errors import UserError

SHARES = (3, 1)  # samples of each process


def step(kind: type[nn.BatchNorm3d], x: torch.Tensor) -> dict[str, np.ndarray]:
    """Output, statistics and gradients of a step; the loss gives every place its own weight."""
    torch.manual_seed(1)
    layer = kind(5, dtype=torch.float64)
    nn.init.normal_(layer.weight)
    x = x.clone().requires_grad_()
    y = layer(x)
    (y * x.detach().cos()).sum().backward()
    gradients = {"gradient of weight": layer.weight.grad, "gradient of bias": layer.bias.grad}
    found = {"y": y, "gradient of x": x.grad, **gradients, **layer.state_dict()}
    return {name: value.detach().numpy() for name, value in found.items()}


def samples() -> torch.Tensor:
    return torch.randn(sum(SHARES), 5, 3, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def one_of_two(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    np.savez(f"{folder}/{rank}.npz", **step(BatchNorm, samples().split(SHARES)[rank]))
    dist.destroy_process_group()


def test_two_processes_normalise_as_one_with_the_whole_batch(tmp_path):
    mp.start_processes(one_of_two, (str(tmp_path),), nprocs=2, start_method="forkserver")
    parts = [np.load(tmp_path / f"{rank}.npz") for rank in (0, 1)]
    for name, wanted in step(nn.BatchNorm3d, samples()).items():
        each = [part[name] for part in parts]
        if name in ("y", "gradient of x"):
            found = np.concatenate(each)
        elif name.startswith("gradient"):
            found = sum(each)
        else:
            assert np.array_equal(*each)
            found = each[0]
        np.testing.assert_allclose(found, wanted, atol=1e-12, err_msg=name)


def test_one_process_normalises_as_torch_does():
    found, wanted = (step(kind, samples()) for kind in (BatchNorm, nn.BatchNorm3d))
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("channels", [1, 3, 8, 12, 20])
@pytest.mark.parametrize("kind", NORMS)
def test_every_norm_takes_any_number_of_channels(kind, channels):
    x = torch.randn(2, channels, 3, 4, 4) + 5
    y = norm_layer(kind, channels)(x)
    assert y.shape == x.shape and (kind == "none" or abs(y.mean()) < 1e-4)


@pytest.mark.parametrize("kind", NORMS)
def test_two_dimensions_are_normalised_as_three_of_which_one_has_a_single_cell(kind):
    layer, x = norm_layer(kind, 6), torch.randn(4, 6, 5, 3)
    assert torch.equal(layer(x), layer(x[:, :, None])[:, :, 0])


def test_groups_in_half_precision_have_statistics_in_single_precision():
    layer, x = norm_layer("group", 8), 100 + torch.randn(4, 8, 5, 3)
    found, wanted = layer(x.bfloat16()), layer(x.bfloat16().float())
    assert found.dtype == torch.float32 and torch.equal(found, wanted)


def test_an_unknown_norm_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match="norm = 'layer' is not allowed; allowed: batch, group, none"):
        norm_layer("layer", 8)


@pytest.mark.parametrize("kind", ["batch", "group"])
def test_one_value_to_normalise_is_refused_in_one_line(kind):
    """A grid as small as the stride, one frame, one sample: less its own mean, the value would be 0 whatever it is."""
    network = FlowCNN(widths=(4, 1), norm=kind)
    with pytest.raises(UserError, match=r"has one value at the coarsest layer .* norm = \"none\"$"):
        network.train()(torch.ones(1, 4, 1, 4, 4))
    network.train()(torch.ones(1, 4, 1, 8, 4))
