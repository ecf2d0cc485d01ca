"""The only module that uses DeepSpeed: a network with its optimiser, steps over all processes, and checkpoints.

`deepspeed_config.py` reads its configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dtrain.averaging import WeightAverage
from dtrain.deepspeed_config import is_muon, named_monitors, one_line
from dtrain.frozen import frozen_parts
from dtrain.muon import Muon
from dtrain.ranks import Ranks
from runkit.efficiency import FILE, counted
from runkit.errors import UserError
from runkit.outputs import written_whole

# What DeepSpeed raises where its configuration is wrong, beside an error of its own.
_REFUSALS = (AssertionError, AttributeError, KeyError, TypeError, ValueError)
# Part of torch's message where a file cannot be written.
_OF_FILES = "inline_container", "PytorchStream", "iostream"
_TAG = re.compile(r"step\d+")  # folders of checkpoints; others are not ours to delete


class Engine:
    """A network that all ranks of a group train together; every method but the properties is collective.

    `ema` is the decay of the average of its weights (`averaging.py`), 0: there is none.
    """

    def __init__(
        self, network: nn.Module, config: Mapping[str, Any], ranks: Ranks, checkpoints: Path, ema: float = 0.0
    ) -> None:
        deepspeed = _deepspeed(ranks)
        self.ranks, self.checkpoints = ranks, checkpoints
        self._shards = int(config.get("zero_optimization", {}).get("stage", 0)) > 0
        config = named_monitors(config, checkpoints.parent)
        if self._must_reshape():
            config["checkpoint"] = {**config.get("checkpoint", {}), "load_universal": True}
        autocast = config.get("torch_autocast", {})
        self._autocast = _dtype(autocast.get("dtype", "bfloat16") if autocast.get("enabled") else "float32")
        self._gather = deepspeed.zero.GatheredParameters
        if config.get("wandb", {}).get("enabled"):
            os.environ["WANDB_NAME"] = "/".join(checkpoints.parent.parts[-2:])  # DeepSpeed passes no name on
        deepspeed.init_distributed("nccl" if ranks.device.type == "cuda" else "gloo", dist_init_required=False)
        try:
            deepspeed.DeepSpeedConfig(config)
        except (deepspeed.runtime.config.DeepSpeedConfigError, *_REFUSALS) as error:
            raise UserError(f"DeepSpeed refuses its configuration: {one_line(error)}") from error
        learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        own = None
        if is_muon(config):
            own = Muon(learning)
            del config["optimizer"]
        try:
            self._engine, self._optimizer, _, _ = deepspeed.initialize(
                model=network, optimizer=own, model_parameters=learning, config=config, dist_init_required=False
            )
        except ImportError as error:
            raise UserError(f"DeepSpeed's configuration needs what is not installed: {error}") from error
        except TypeError as error:  # of the optimiser
            raise UserError(f"DeepSpeed cannot use its configuration: {one_line(error)}") from error
        self._clip_without_waiting(float(config.get("gradient_clipping", 0.0)))
        self._universal = "load_universal" in config.get("checkpoint", {})
        self._frozen = frozen_parts(self._engine.module)
        self._average = WeightAverage(self._engine.module, ema) if ema else None  # DeepSpeed has placed the weights

    def _clip_without_waiting(self, largest: float) -> None:
        """Clip gradients as DeepSpeed does at ZeRO stage 0, but with no number that goes from the host to the GPU.

        DeepSpeed makes two tensors of such numbers in every step, and the host waits until they are there.
        """
        parameters = list(self._engine.module.parameters())
        self._engine.clip_fp32_gradients = lambda: torch.nn.utils.clip_grad_norm_(parameters, largest)

    def close(self) -> None:
        """End what monitors keep of this run, so that another one of this process does not go on with it."""
        monitor = self._engine.monitor
        if tensorboard := getattr(monitor, "tb_monitor", None):
            tensorboard.summary_writer.close()
        if getattr(monitor, "wandb_monitor", None):
            sys.modules["wandb"].finish()
        if comet := getattr(monitor, "comet_monitor", None):
            comet.experiment.end()

    @property
    def micro_batch(self) -> int:
        """Samples of a micro-batch."""
        return int(self._engine.train_micro_batch_size_per_gpu())

    @property
    def dtype(self) -> torch.dtype:
        """What products of matrices are computed in."""
        return self._autocast

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Outputs of the network, by DeepSpeed's autocast if it is on."""
        outputs: tuple[Tensor, ...] = self._engine(*inputs)
        return outputs

    def buffers(self) -> Iterator[Tensor]:
        """What the network keeps beside its weights, such as running statistics."""
        return iter(self._engine.module.buffers())

    def backward(self, loss: Tensor) -> None:
        """Gradients of a micro-batch; an update follows after as many as a step has."""
        self._engine.backward(loss)
        is_update = self._engine.is_gradient_accumulation_boundary()
        self._engine.step()
        if is_update and self._average is not None:
            self._average.update()

    def set_learning_rate(self, value: float) -> None:
        """The learning rate of the next update."""
        for group in self._optimizer.param_groups:
            group["lr"] = value

    def train(self, mode: bool = True) -> None:
        """Switch between training and evaluation, in which frozen parts stay."""
        self._engine.train(mode)
        for part in self._frozen:
            part.eval()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network has the average of its weights meanwhile, if the recipe sets `ema`."""
        if self._average is None:
            yield
            return
        with self._average.in_place():
            yield

    def weights(self) -> dict[str, Tensor]:
        """A copy of the weights on the CPU, whole on every rank."""
        with self._gather(list(self._engine.module.parameters())):
            return {name: value.detach().cpu().clone() for name, value in self._engine.module.state_dict().items()}

    def report(self, values: Mapping[str, float], n_samples: int) -> None:
        """Hand numbers to DeepSpeed's monitors."""
        if self._engine.monitor.enabled:
            self._engine.monitor.write_events([(f"Run/{name}", value, n_samples) for name, value in values.items()])

    @counted(FILE)
    def save(self, tag: str, state: Mapping[str, Any]) -> None:
        """Write a checkpoint of a new name; once it is whole it becomes the last one, and the one before is deleted."""
        gathered = {name: buffer.detach().cpu().clone() for name, buffer in self._engine.module.named_buffers()}
        kept: dict[str, Any] = {"run": dict(state), "buffers": gathered}
        if self._average is not None:
            with self._average.in_place():
                kept["average"] = self._average.state(self.weights())
        try:
            self._engine.save_checkpoint(str(self.checkpoints), tag=tag, client_state=kept, save_latest=False)
        except RuntimeError as error:
            if not any(name in str(error) for name in _OF_FILES):
                raise
            message = f"{self.checkpoints / tag} cannot be written (disk full, or a limit reached): {one_line(error)}"
            raise UserError(message) from error
        self.ranks.barrier()
        if self.ranks.is_root:
            with written_whole(self.checkpoints / "latest") as beside:
                beside.write_text(tag)
            for old in self.checkpoints.iterdir():
                if old.is_dir() and old.name != tag and _TAG.match(old.name):
                    shutil.rmtree(old)
        self.ranks.barrier()

    @counted(FILE)
    def load(self) -> dict[str, Any] | None:
        """Go back to the last checkpoint and return its state; None if there is none."""
        tag = _last(self.checkpoints)
        if tag is None:
            return None
        if self._universal:
            tag = self._reshape(tag)
        path, client = self._engine.load_checkpoint(str(self.checkpoints), tag=tag)
        if path is None:
            raise UserError(f"DeepSpeed cannot load the checkpoint {self.checkpoints / tag}")
        # DeepSpeed leaves out what layers have gathered where it reshapes a checkpoint; older ones do not have it here.
        for name, values in client.get("buffers", {}).items():
            self._engine.module.get_buffer(name).copy_(values)
        if self._average is not None:
            self._average.restore(client["average"])
        state: dict[str, Any] = client["run"]
        return state

    def _must_reshape(self) -> bool:
        """Whether the last checkpoint is in shards (ZeRO stage 1 or more) of another number of processes."""
        tag = _last(self.checkpoints)
        if not self._shards or tag is None:
            return False
        return len(list((self.checkpoints / tag).glob("*zero_pp_rank_*_optim_states.pt"))) != self.ranks.size

    def _reshape(self, tag: str) -> str:
        """Turn a sharded checkpoint into DeepSpeed's universal form, which any number of processes can load."""
        universal = f"{tag}_universal"
        if self.ranks.is_root:
            program = [sys.executable, "-m", "deepspeed.checkpoint.ds_to_universal", "--inject_missing_state"]
            folders = [
                "--input_folder",
                str(self.checkpoints / tag),
                "--output_folder",
                str(self.checkpoints / universal),
            ]
            done = subprocess.run([*program, *folders], capture_output=True, text=True)
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1:]
                raise UserError(
                    f"{self.checkpoints / tag} cannot be reshaped for {self.ranks.size} processes: {reason}"
                )
        self.ranks.barrier()
        return universal


def _deepspeed(ranks: Ranks) -> Any:
    """DeepSpeed, imported late (seconds) and kept from compiling extensions where there is no GPU."""
    import deepspeed
    import deepspeed.ops

    if ranks.device.type == "cpu":
        # Minutes of compilation, and a build that is killed half-way blocks all later runs.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def _dtype(name: str) -> torch.dtype:
    """The type that DeepSpeed's configuration names, float32 if it is another word for it."""
    found = getattr(torch, name.removeprefix("torch."), None)
    return found if isinstance(found, torch.dtype) else torch.float32


def _last(checkpoints: Path) -> str | None:
    latest = checkpoints / "latest"
    return latest.read_text().strip() if latest.exists() else None
