"""DeepSpeed's configuration: what is honoured, what is refused."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

import pytest
import torch

from dtrain.config import Phase
from dtrain.deepspeed_config import read_config
from dtrain.ranks import Ranks
from dtrain.schedule import learning_rate
from runkit.errors import UserError
from tests.dtrain.conftest import train_here


def ranks(size: int) -> Ranks:
    return Ranks(0, size, 0, 1, torch.device("cpu"), None)


@pytest.fixture
def written(tmp_path):
    def write(**config: object) -> str:
        (tmp_path / "ds.json").write_text(json.dumps(config))
        return str(tmp_path / "ds.json")

    return write


@pytest.mark.parametrize(
    ("batch", "size", "micro_batch", "n_micro_batches"),
    [(1, 1, 1, 1), (8, 2, 1, 4), (8, 2, 4, 1), (5, 2, 1, 3), (1, 4, 1, 1)],
)
def test_accumulation_makes_up_the_recipes_batch(written, batch, size, micro_batch, n_micro_batches):
    config = read_config(written(train_micro_batch_size_per_gpu=micro_batch), batch, ranks(size))
    assert config["gradient_accumulation_steps"] == n_micro_batches
    assert config["train_batch_size"] == micro_batch * n_micro_batches * size


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
        ({"optimizer": {"type": "Adam", "params": {"lr": 0.1}}}, "optimizer.params.lr = 0.1: the learning rate is the"),
        ({"train_micro_batch_size_per_gpu": "auto"}, "train_micro_batch_size_per_gpu = 'auto' is for other programs"),
        ({"zero_optimization": {"reduce_bucket_size": "auto"}}, "zero_optimization.reduce_bucket_size = 'auto'"),
        ({"optimizer": {"params": {"betas": ["auto", 0.9]}}}, "optimizer.params.betas.0 = 'auto'"),
        ({"train_micro_batch_size_per_gpu": 0}, "train_micro_batch_size_per_gpu = 0; allowed: a whole number >= 1"),
        ({"train_micro_batch_size_per_gpu": "2"}, "= '2'; allowed: a whole number"),
        ({"gradient_clipping": "much"}, "gradient_clipping = 'much'; allowed: a number >= 0"),
        ({"zero_optimization": 2}, "zero_optimization = 2; allowed: a table"),
        ({"zero_optimization": {"stage": 7}}, "zero_optimization.stage = 7; allowed: 0, 1, 2, 3"),
        ({"zero_optimization": {"stage": "two"}}, "zero_optimization.stage = 'two'"),
        ({"optimizer": {"type": "Adam", "params": 3}}, "optimizer.params = 3; allowed: a table"),
        ({"optimizer": {"type": "Muon"}, "zero_optimization": {"stage": 2}}, "stage = 2: Muon needs whole matrices"),
        ({"optimizer": {"type": "Muon", "params": {"momentum": 0.9}}}, "Muon has no settings"),
    ],
)
def test_what_contradicts_the_recipe_or_the_machine_is_refused(written, config, message):
    with pytest.raises(UserError, match=message):
        read_config(written(**config), 4, ranks(2))


def test_the_recipes_optimiser_takes_the_place_of_the_configurations(written):
    given = written(optimizer={"type": "AdamW", "params": {"weight_decay": 0.1}})
    assert read_config(given, 1, ranks(1), optimizer="muon")["optimizer"] == {"type": "muon", "params": {}}


def test_a_configuration_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "ds.json").write_text("{stage: 0}")
    with pytest.raises(UserError, match="is not JSON"):
        read_config(str(tmp_path / "ds.json"), 1, ranks(1))


def test_a_list_is_no_configuration(tmp_path):
    (tmp_path / "ds.json").write_text("[1]")
    with pytest.raises(UserError, match="holds no table"):
        read_config(str(tmp_path / "ds.json"), 1, ranks(1))


@pytest.fixture
def recipe(flow_file, tmp_path):
    """A training of seconds, in words."""
    path = tmp_path / "one.toml"
    path.write_text(
        f'name = "one"\nbatch = 8\nmicro = 0\n[model]\nname = "flow-cnn"\nparameters = {{ widths = [4] }}\n'
        f'[data]\nname = "flow"\nfile = "{flow_file}"\nsplit = {{ train = 4, validation = 1, test = 1 }}\n'
        "[phase.all]\nepochs = 0.5\nlearning_rate = 1e-3\n"
    )
    return path


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"zero_optimization": {"stag": 1}}, "stag Extra inputs are not permitted"),
        ({"optimizer": {"type": "Adam", "params": {"beta": 1}}}, "beta"),
        ({"torch_autocast": {"enabled": True, "dtype": "float8"}}, "'float8' is not a valid DtypeEnum"),
        ({"tensorboard": {"enable": True}}, "tensorboard.enable Extra inputs are not permitted"),
        ({"wandb": {"enabled": True}}, "needs what is not installed: import of wandb halted"),
    ],
)
def test_what_deepspeed_refuses_is_said_in_one_line(written, recipe, tmp_path, monkeypatch, config, message):
    monkeypatch.setitem(sys.modules, "wandb", None)
    path = written(**config)
    code, output = train_here(tmp_path, recipe, f"deepspeed={path}")
    lines = [line for line in output.splitlines() if "error:" in line]
    assert code == 2 and len(lines) == 1 and message in lines[0] and "Traceback" not in output


def test_monitors_keep_the_runs_of_a_campaign_apart(written, recipe, tmp_path, monkeypatch):
    """In the folder of a run, or below the path and name that the JSON gives; for wandb, one run after another."""
    started: list[str] = []
    wandb = SimpleNamespace(
        init=lambda **about: started.append(os.environ["WANDB_NAME"]),
        log=lambda values, step, commit=None: None,
        finish=lambda: started.append("finished"),
    )
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    own, given = {"enabled": True}, {"enabled": True, "output_path": str(tmp_path / "seen"), "job_name": "study"}
    path = written(csv_monitor=own, tensorboard=given, wandb=own)
    with open(recipe, "a") as file:
        file.write('[campaign.grid]\n"seed" = [1, 2]\n')
    code, output = train_here(tmp_path, recipe, f"deepspeed={path}", "log_every=1")
    assert code == 0, output
    for run in ("seed1", "seed2"):
        assert (tmp_path / "runs/one" / run / "csv_monitor/Run_training_loss.csv").exists()
        assert len(list((tmp_path / "seen/study/one" / run).glob("events*"))) == 1
    assert started == ["one/seed1", "finished", "one/seed2", "finished"]


def test_the_learning_rate_rises_over_the_warmup_and_falls_as_a_cosine():
    phase = Phase(epochs=1, learning_rate=0.1, warmup=4, decay="cosine")
    rates = [learning_rate(phase, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.02) and max(rates) == rates[4] and rates[-1] < 1e-4
    assert learning_rate(phase, 50, 100) == pytest.approx(0.05)
    assert {learning_rate(Phase(epochs=1, learning_rate=0.1), step, 100) for step in range(100)} == {0.1}
