"""DeepSpeed's configuration: what is honoured, what is refused."""

from __future__ import annotations

import json

import pytest
import torch

from dtrain.config import Phase
from dtrain.deepspeed_config import read_config
from dtrain.loop import learning_rate
from dtrain.ranks import Ranks
from runkit.errors import UserError


def ranks(size: int) -> Ranks:
    return Ranks(0, size, 0, 1, torch.device("cpu"), None)


@pytest.fixture
def written(tmp_path):
    def write(**config: object) -> str:
        (tmp_path / "ds.json").write_text(json.dumps(config))
        return str(tmp_path / "ds.json")

    return write


@pytest.mark.parametrize(
    ("batch", "size", "micro", "n_micro"), [(1, 1, 1, 1), (8, 2, 1, 4), (8, 2, 4, 1), (5, 2, 1, 3), (1, 4, 1, 1)]
)
def test_accumulation_makes_up_the_recipes_batch(written, batch, size, micro, n_micro):
    config = read_config(written(train_micro_batch_size_per_gpu=micro), batch, ranks(size))
    assert config["gradient_accumulation_steps"] == n_micro
    assert config["train_batch_size"] == micro * n_micro * size


def test_no_configuration_means_the_one_of_the_package():
    config = read_config("", 2, ranks(1))
    assert config["zero_optimization"]["stage"] == 0 and config["gradient_clipping"] == 1.0


def test_optimisers_on_the_cpu_are_torchs_own(written):
    config = read_config(written(optimizer={"type": "AdamW", "params": {"weight_decay": 0.1}}), 1, ranks(1))
    assert config["optimizer"]["params"] == {"weight_decay": 0.1, "torch_adam": True}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"gradient_accumulation_steps": 3}, "gradient_accumulation_steps = 3, but batch = 4 on 2 processes"),
        ({"train_batch_size": 8}, "train_batch_size = 8"),
        ({"bf16": {"enabled": True}}, "use torch_autocast"),
        ({"scheduler": {"type": "WarmupLR"}}, "the learning rate is the recipe's"),
        ({"optimizer": {"type": "Lamb"}}, "'Lamb' is compiled for GPUs"),
    ],
)
def test_what_contradicts_the_recipe_or_the_machine_is_refused(written, config, message):
    with pytest.raises(UserError, match=message):
        read_config(written(**config), 4, ranks(2))


def test_a_configuration_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "ds.json").write_text("{stage: 0}")
    with pytest.raises(UserError, match="is not JSON"):
        read_config(str(tmp_path / "ds.json"), 1, ranks(1))


def test_the_learning_rate_rises_over_the_warmup_and_falls_as_a_cosine():
    phase = Phase(epochs=1, learning_rate=0.1, warmup=4, decay="cosine")
    rates = [learning_rate(phase, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.02) and max(rates) == rates[4] and rates[-1] < 1e-4
    assert learning_rate(phase, 50, 100) == pytest.approx(0.05)
    assert {learning_rate(Phase(epochs=1, learning_rate=0.1), step, 100) for step in range(100)} == {0.1}
