"""The average of weights: its numbers, its place in a run, and that a run goes on with it exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from dtrain.averaging import WeightAverage
from dtrain.models.norms import BatchNorm
from runkit.stop import UNFINISHED
from tests.dtrain.conftest import losses, train_here, trained_here


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


class Two(nn.Sequential):
    """A layer, and one that gathers statistics."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(2, 3), BatchNorm(3))


def test_the_average_is_that_of_numpy_over_the_weights_of_all_steps():
    torch.manual_seed(1)
    network, random, decay = Two(), np.random.default_rng(2), 0.6
    average = WeightAverage(network, decay)
    expected = {name: value.numpy().astype(np.float64) for name, value in network.state_dict().items()}
    for n in range(1, 9):
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(random.normal(size=tuple(tensor.shape)).astype(np.float32)))
                d = min(decay, (1 + n) / (10 + n))
                expected[name] = d * expected[name] + (1 - d) * tensor.numpy()
        average.update()
    own = {name: value.clone() for name, value in network.state_dict().items()}
    with average.in_place():
        for name, value in network.state_dict().items():
            np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert all(torch.equal(value, own[name]) for name, value in network.state_dict().items())


def test_shared_weights_are_averaged_once():
    network = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    network[1].weight = network[0].weight
    average, before = WeightAverage(network, 0.5), network[0].weight.detach().clone()
    with torch.no_grad():
        network[0].weight.add_(1.0)
    average.update()  # by 1 - 2/11 of the way
    with average.in_place():
        torch.testing.assert_close(network[1].weight, before + 9 / 11)


def test_the_average_is_validated_and_kept_and_training_is_as_without(averaged_settings, averaged_run, tmp_path):
    plain = trained_here(tmp_path, *averaged_settings, "ema=0")
    assert (plain / "training.csv").read_text() == (averaged_run / "training.csv").read_text()
    assert losses(plain, "validation") != losses(averaged_run, "validation")
    assert all(
        not torch.equal(a, b)
        for a, b in zip(weights(plain).values(), weights(averaged_run).values(), strict=True)
        if a.is_floating_point()
    )


def test_a_run_that_is_ended_goes_on_to_the_same_average_to_the_last_bit(averaged_settings, averaged_run, tmp_path):
    code, printed = train_here(tmp_path, *averaged_settings, "minutes=0.001")
    assert code == UNFINISHED, printed
    code, printed = train_here(tmp_path, *averaged_settings)
    assert code == 0 and "goes on after step" in printed, printed
    assert (tmp_path / "runs/tiny/validation.csv").read_text() == (averaged_run / "validation.csv").read_text()
    wanted = weights(averaged_run)
    assert all(torch.equal(value, wanted[name]) for name, value in weights(tmp_path / "runs/tiny").items())


def test_an_update_follows_each_step_not_each_micro_batch(averaged_settings, tmp_path):
    words = ("micro=2", "model.parameters.norm=group", "phase.frames.epochs=0.5")
    run = trained_here(tmp_path, *averaged_settings, *words)
    n_steps = len(losses(run))
    (file,) = (run / "checkpoint").glob("*/mp_rank_00_model_states.pt")
    kept = torch.load(file, weights_only=False)["average"]  # our own file of a moment ago
    assert kept["n_updates"] == n_steps > 1
    for name, value in weights(run).items():
        torch.testing.assert_close(kept["weights"][name], value, rtol=0, atol=0)
