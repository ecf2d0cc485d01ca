"""DeepSpeed's own JSON configuration: read, completed and checked before DeepSpeed gets it.

Its keys count (ZeRO stage, optimiser, torch_autocast, clipping, micro-batch, accumulation, monitors), but for those
that a recipe has: the number of samples per step and the learning rate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from dtrain.config import PACKAGE
from dtrain.ranks import Ranks
from runkit.errors import UserError

DEFAULT_CONFIG = PACKAGE / "recipes" / "ds_config.json"
# Optimisers that DeepSpeed takes from torch; its own are compiled at first use, which takes minutes without a GPU.
_TORCH_OPTIMIZERS = ("adam", "adamw", "adagrad")
# Of monitors that keep a job in a folder or under a name: which key is the name.
_NAMES = {"tensorboard": "job_name", "csv_monitor": "job_name", "comet": "experiment_name"}


def read_config(path: str, batch: int, ranks: Ranks, micro_batch: int = 1, optimizer: str = "") -> dict[str, Any]:
    """DeepSpeed's configuration, completed for `batch` samples per step; raises UserError.

    `path` may be empty: the JSON beside the recipes. `micro_batch` samples are computed at once, 0: all
    that a process has in a step; the JSON may set another number. An `optimizer` takes the place of the JSON's.
    """
    file = Path(path) if path else DEFAULT_CONFIG
    try:
        config: dict[str, Any] = json.loads(file.read_text())
    except OSError as error:
        raise UserError(f"deepspeed: {file}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise UserError(f"deepspeed: {file} is not JSON: {error}") from error
    if optimizer and isinstance(config, dict):
        config["optimizer"] = {"type": optimizer}
    _check(config, file, ranks)
    share = -(-batch // ranks.size)  # of a process in a step: with more at once, places would be empty
    micro_batch = config.get("train_micro_batch_size_per_gpu", min(micro_batch or share, share))
    n_micro_batches = _accumulation_steps(config, file, batch, ranks.size, micro_batch)
    # DeepSpeed's own measurement of speed waits for the GPU twice in every step.
    config.setdefault("timers", {"throughput": {"enabled": False}})
    return config | {
        "train_micro_batch_size_per_gpu": micro_batch,
        "gradient_accumulation_steps": n_micro_batches,
        "train_batch_size": micro_batch * n_micro_batches * ranks.size,
    }


def _check(config: dict[str, Any], file: Path, ranks: Ranks) -> None:
    if not isinstance(config, dict):
        raise UserError(f"{file} holds no table of keys")
    if automatic := next(_automatic(config), None):
        raise UserError(f"{file}: {automatic} = 'auto' is for other programs to fill in; leave it out or give a value")
    _check_sizes(config, file)
    for precision in ("fp16", "bf16"):
        if config.get(precision, {}).get("enabled"):
            raise UserError(f"{file}: {precision} casts inputs too and cuts their digits; use torch_autocast")
    if "scheduler" in config:
        raise UserError(
            f"{file}: scheduler: the learning rate is the recipe's (phase.NAME.learning_rate, decay, warmup)"
        )
    _check_optimizer(config, file, ranks)


def _check_sizes(config: Mapping[str, Any], file: Path) -> None:
    for key in ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps"):
        value = config.get(key, 1)
        if type(value) is not int or value < 1:
            raise UserError(f"{file}: {key} = {value!r}; allowed: a whole number >= 1")
    clipping = config.get("gradient_clipping", 0.0)
    if isinstance(clipping, bool) or not isinstance(clipping, (int, float)) or not clipping >= 0:
        raise UserError(f"{file}: gradient_clipping = {clipping!r}; allowed: a number >= 0")
    for key in ("optimizer", "zero_optimization", "torch_autocast", "fp16", "bf16", "checkpoint", "timers", *_NAMES):
        if not isinstance(config.get(key, {}), dict):
            raise UserError(f"{file}: {key} = {config[key]!r}; allowed: a table of keys")
    stage = config.get("zero_optimization", {}).get("stage", 0)
    if type(stage) is not int or stage not in range(4):
        raise UserError(f"{file}: zero_optimization.stage = {stage!r}; allowed: 0, 1, 2, 3")


def _check_optimizer(config: dict[str, Any], file: Path, ranks: Ranks) -> None:
    optimizer = config.setdefault("optimizer", {"type": "Adam"})
    parameters = optimizer.setdefault("params", {})
    if not isinstance(parameters, dict):
        raise UserError(f"{file}: optimizer.params = {parameters!r}; allowed: a table of keys")
    if "lr" in parameters:
        raise UserError(
            f"{file}: optimizer.params.lr = {parameters['lr']!r}: the learning rate is the recipe's "
            "(phase.NAME.learning_rate); leave it out"
        )
    if is_muon(config):
        _check_muon(config, file)
        return
    name = str(optimizer.get("type", "")).lower()
    is_of_torch = name in _TORCH_OPTIMIZERS or hasattr(torch.optim, str(optimizer.get("type")))
    if ranks.device.type == "cpu" and not is_of_torch:
        allowed = ", ".join(_TORCH_OPTIMIZERS)
        raise UserError(
            f"{file}: optimizer.type = {optimizer.get('type')!r} is compiled for GPUs; on the CPU: {allowed}, …"
        )
    if name in ("adam", "adamw") and ranks.device.type == "cpu":
        parameters["torch_adam"] = True


def is_muon(config: Mapping[str, Any]) -> bool:
    """Whether the optimiser is Muon, which is ours and not DeepSpeed's (`muon.py`)."""
    return str(config.get("optimizer", {}).get("type", "")).lower() == "muon"


def _check_muon(config: Mapping[str, Any], file: Path) -> None:
    """Muon updates whole weights, and has nothing to set."""
    stage = config.get("zero_optimization", {}).get("stage", 0)
    if stage:
        raise UserError(f"{file}: zero_optimization.stage = {stage}: Muon needs whole matrices, not shards; allowed: 0")
    if parameters := config["optimizer"]["params"]:
        raise UserError(f"{file}: optimizer.params = {parameters!r}: Muon has no settings; leave them out")


def _accumulation_steps(config: Mapping[str, Any], file: Path, batch: int, size: int, micro_batch: int) -> int:
    """Micro-batches of a step, of which the last may be partly empty."""
    n_micro_batches = -(-batch // (micro_batch * size))
    given = {"gradient_accumulation_steps": n_micro_batches, "train_batch_size": batch}
    for key, derived in given.items():
        if config.get(key, derived) != derived:
            raise UserError(
                f"{file}: {key} = {config[key]}, but batch = {batch} on {size} processes, {micro_batch} at once, makes "
                f"{derived}; leave it out or change the recipe's batch"
            )
    return n_micro_batches


def named_monitors(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The configuration with a name of its own for what monitors keep of the run in `folder`.

    It ends in the last two parts of the folder, behind the name that the JSON gives, so that the runs of a campaign do
    not mix. Without an `output_path` the files lie in the folder.
    """
    named = dict(config)
    for monitor, key in _NAMES.items():
        about = dict(config.get(monitor, {}))
        if not about.get("enabled"):
            continue
        if key == "job_name" and not about.get("output_path"):
            about |= {"output_path": str(folder), key: about.get(key, monitor)}
        else:
            about[key] = "/".join([about[key]] * (key in about) + list(folder.parts[-2:]))
        named[monitor] = about
    return named


def one_line(error: Exception) -> str:
    """The message of an error of DeepSpeed, without line breaks and hints at web pages."""
    lines = (line.strip() for line in str(error).splitlines())
    return " ".join(line for line in lines if line and "https://" not in line)


def _automatic(table: Any, above: str = "") -> Iterator[str]:
    """Keys whose value is "auto"."""
    items = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    for key, value in items:
        if value == "auto":
            yield f"{above}{key}"
        yield from _automatic(value, f"{above}{key}.")
