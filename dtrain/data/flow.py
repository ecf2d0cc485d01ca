"""Flow around obstacles as clips: some frames in, the following ones out.

A sample of the split is a case, never a frame of one. What is drawn is a clip, numbered case * frames of the file +
first frame: every clip of the training cases in each epoch. Held-back cases are judged by longer clips, rolled out.

Source: the report of JHPCN project jh220052 (2022), section 5.2: three frames of density, velocity and signed distance.
Units: lattice units of the simulated grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dtrain.data import DataSet, Network, Output, complete, data, mark_of
from dtrain.data.clips import NEAR, Clips, Series, distance_of, geometry_of, rollout
from dtrain.data.flow_file import FlowFile
from dtrain.data.flow_options import FlowLoss, FlowOptions
from dtrain.data.free_running import own_flow, statistics_error
from dtrain.data.noise import Noise
from dtrain.data.store import Store
from dtrain.data.tensors import numbers, send
from dtrain.flow_metrics import correlation, variance_error, vorticity
from dtrain.flow_physics import Scene, physics_losses
from dtrain.losses import field_and_gradient
from dtrain.normalisation import Normalisation
from runkit.arrays import F32, Bools, Floats
from runkit.dataset.schema import COMPLETE, PENDING
from runkit.errors import UserError
from runkit.rng import stream

CHANNELS = ("density", "velocity_x", "velocity_y")
AT_REST = np.array([1.0, 0.0, 0.0], np.float32)  # density and velocity where there is no fluid
USUAL_CELL_REYNOLDS = 20.0  # velocity times width of a stored cell over viscosity; a network sees the logarithm
STATISTICS = 256  # cases that give mean and spread, at most


@data("flow")
class Flow(FlowFile, DataSet[Clips, FlowLoss]):
    """The clips of a FLOW file.

    `cases` holds the cases of each part of the split, "outside" being those that were left out of it. Without
    `normalisation` it is taken from the training cases.
    """

    Options, Loss = FlowOptions, FlowLoss

    def __init__(self, options: FlowOptions, seed: int = 0, normalisation: Normalisation | None = None) -> None:
        super().__init__(options.file)
        self.options, self.seed, self._normalisation = options, seed, normalisation
        self.mirrors = options.mirror and self.is_symmetric()
        self.cases = self._cases()
        self._store: Store[Series] = Store(torch.device("cpu"), torch.device("cpu"), 0, 1)  # until it is placed

    @cached_property
    def split(self) -> dict[str, list[int]]:
        length = self.options.frames + self.options.n_target
        return {
            part: self._clips(cases, length, 1) if part == "train" else self._clips(cases, self._held_back_length)
            for part, cases in self.cases.items()
        }

    def require(self, options: FlowLoss) -> None:
        _ = self.split  # draws clips
        options.require(self.options)

    @property
    def parts(self) -> dict[str, list[int]]:
        return self.cases

    @property
    def usable(self) -> list[int]:
        return np.flatnonzero(self.dataset["computed"][:] == COMPLETE).tolist()

    @property
    def context(self) -> dict[str, float]:
        periods = dict(zip(("periodic x", "periodic y"), map(float, map(bool, self.periods)), strict=True))
        return {"steps between frames": self.interval, "sites per cell": self.cell, **periods}

    @cached_property
    def periods(self) -> list[int]:
        """Cells after which a flow repeats along x and y, if the network is given that; 0: it does not."""
        faces = {axis: self.dataset.file[f"boundary_conditions/{axis}_low"].attrs["bc_type"] for axis in "xy"}
        wraps = {axis: self.options.periodic and kind == "PERIODIC" for axis, kind in faces.items()}
        return [self.dataset.sizes[axis] if wraps[axis] else 0 for axis in "xy"]

    def mark(self, case: int) -> str:
        geometry = [self.dataset[f"t0_fields/{name}"][case] for name in ("signed_distance", "fluid_fraction")]
        return mark_of(self.dataset["scalars/reynolds_number"][case], *geometry, self.frames(case, 0, 1))

    @property
    def sizes(self) -> dict[str, Any]:
        frames = self.options.frames
        inputs = len(CHANNELS) + 1 + self.options.surface + self.options.viscosity
        return {
            "inputs": inputs,
            "outputs": len(CHANNELS),
            "frames": frames,
            "spreads": list(self.normalisation.std[1:]),
            "periodic": self.periods,
            "planes": self.planes,
        }

    @cached_property
    def normalisation(self) -> Normalisation:
        if self._normalisation is not None:
            return self._normalisation
        chosen = self.cases["train"][:: -(-len(self.cases["train"]) // STATISTICS)]
        sums = np.zeros((3, len(CHANNELS)))
        for case in chosen:
            values = self.frames(case)[:, :, self.fluid(case)].astype(np.float64)
            sums += [np.full(3, values[0].size), values.sum(axis=(1, 2)), np.square(values).sum(axis=(1, 2))]
        mean, square = sums[1:] / sums[0]
        if self.mirrors:
            mean[2] = 0.0
        return Normalisation.checked(mean, np.sqrt(np.maximum(square - mean**2, 0.0)))

    def denormalised(self, frames: F32, fluid: Bools) -> F32:
        """Normalised frames [3, time, x, y] in lattice units, at rest where there is no fluid [x, y]."""
        rest = AT_REST.reshape(-1, 1, 1, 1)
        return np.where(fluid, self.normalisation.denormalised(frames), rest).astype(np.float32)

    def place(self, device: torch.device) -> str:
        """Keep whole cases of training and validation, if all fit."""
        n_cases = len(self.cases["train"]) + len(self.cases["validation"])
        bounds = self.options.memory, self.options.device_memory
        self._store = Store.choose(device, 4 * self._n_values * n_cases, *bounds)
        return str(self._store)

    @property
    def _n_values(self) -> int:
        """Numbers of a case that is kept, about."""
        n_fixed = 2 + self.options.surface + self.options.viscosity  # distance and fluid are always there
        return self.dataset.sizes["x"] * self.dataset.sizes["y"] * (len(CHANNELS) * self.n_frames + n_fixed)

    def clip(self, case: int, start: int, n_target: int) -> Clips:
        """One clip without the first axis, with normalised frames, which are read anew unless all cases are kept."""
        n_given = self.options.frames
        if self._store.holds_all:
            return self._store.get(case, lambda: self._whole(case)).clip(start, n_given, n_target)
        still = self._store.get(case, lambda: self._still(case))
        frames = send(torch.from_numpy(self._moving(case, start, n_given + n_target)), self._store.device)
        return replace(still, frames=frames).clip(0, n_given, n_target)

    def batch(self, samples: Sequence[int], epochs: Sequence[int] | None = None) -> Clips:
        n_target = self._held_back_length - self.options.frames if epochs is None else self.options.n_target
        clips = self.stack([self.clip(*divmod(sample, self.n_frames), n_target) for sample in samples])
        return clips if epochs is None else self._augmented(clips, samples, epochs)

    @staticmethod
    def stack(clips: list[Any]) -> Clips:
        """Single clips, each without the first axis, as one batch."""
        return Clips.stack(clips)

    @staticmethod
    def inputs(batch: Clips) -> tuple[Tensor, ...]:
        return batch.inputs(batch.given)

    def output(self, network: Network, batch: Clips) -> Output:
        """Frames [n, 3, t, x, y]: all of the target, or in training without `through` those of the last call.

        In training with `free`, those of the network's own flow after them.
        """
        options, learns = self.options, torch.is_grad_enabled()
        n_frames = options.frames * options.unroll if learns else batch.target.shape[2]
        found = rollout(network, batch, n_frames, options.through or not learns, options.recompute)
        if not (learns and options.free.calls):
            return (found,)
        return found, own_flow(network, batch, found[:, :, -options.frames :], options.free, options.recompute)

    def loss(self, output: Output, batch: Clips, options: FlowLoss) -> dict[str, Tensor]:
        target = self._wanted(output, batch)
        losses = field_and_gradient(output[0], target, batch.fluid, options.gradient)
        for own in output[1:]:
            error = statistics_error(own, batch.target[:, :, : own.shape[2]], batch.fluid)
            losses |= {"statistics_loss": error, "loss": losses["loss"] + options.statistics * error}
        if options.physics:
            found = physics_losses(
                self._physical(output[0], batch.fluid),
                self._physical(target, batch.fluid),
                self._scene(batch),
                options.physics,
            )
            losses |= {f"{name}_loss": value for name, value in found.items()}
            losses["loss"] = losses["loss"] + sum(options.physics[name] * value for name, value in found.items())
        return losses

    def _wanted(self, output: Output, batch: Clips) -> Tensor:
        """The frames of the target [n, 3, t, …] that the first part of an output predicts: the last of the calls."""
        end = self.options.frames * self.options.unroll if len(output) > 1 else batch.target.shape[2]
        return batch.target[:, :, end - output[0].shape[2] : end]

    def _physical(self, frames: Tensor, fluid: Tensor) -> Tensor:
        """Normalised frames [n, 3, t, x, y] in lattice units, at rest in bodies; the host gives no tensor to a GPU."""
        mean, std = self.normalisation.mean, self.normalisation.std
        channels = [mean[i] + std[i] * frames[:, i] - float(AT_REST[i]) for i in range(len(CHANNELS))]
        return torch.stack([rest + fluid[:, 0] * one for one, rest in zip(channels, AT_REST.tolist(), strict=True)], 1)

    def _scene(self, batch: Clips) -> Scene:
        distance = distance_of(batch.geometry[:, :1, None], self.cell)
        return Scene(batch.fluid, distance, self.cell, self.interval, max(self.normalisation.std[1:]))

    def scores(self, output: Output, batch: Clips) -> dict[str, float]:
        """Variance-scaled error, mean over frames and channels, and mean correlation of vorticity over frames."""
        fluid = batch.fluid[0, 0, 0].cpu().numpy() > 0
        predicted, wanted = (
            self.normalisation.denormalised(values[0].detach().cpu().numpy()) for values in (output[0], batch.target)
        )
        our_curl, true_curl = (vorticity(values[1:], fluid) for values in (predicted, wanted))
        follows = correlation(our_curl, true_curl, fluid)
        return {"vrmse": float(np.mean(variance_error(predicted, wanted, fluid))), "correlation": float(follows.mean())}

    @staticmethod
    def objective(scores: Mapping[str, float], options: FlowLoss) -> float:
        """The smaller the error of a rollout, the better."""
        return -scores["vrmse"]

    @property
    def _held_back_length(self) -> int:
        """Frames of a clip by which held-back cases are judged."""
        return min(self.options.frames + self.options.horizon, self.n_frames)

    def _augmented(self, clips: Clips, samples: Sequence[int], epochs: Sequence[int]) -> Clips:
        """Clips as they are seen in an epoch of the training: the same for any number of processes."""
        device = clips.given.device
        streams = [stream(self.seed, "clip", *of) for of in zip(epochs, samples, strict=True)]
        if self.mirrors:
            chosen = [bool(random.integers(2)) for random in streams]
            clips = clips.mirrored().where(numbers(chosen, device), clips) if any(chosen) else clips
        if self.options.noise:
            shape = *clips.given.shape[1:3], self.dataset.sizes["x"], self.dataset.sizes["y"]
            units = self.normalisation.std[1:] if self.options.noise_stream else None
            drawn = Noise(self.options.noise, self.options.noise_reach, self.periods, self.planes, units)
            noise = clips.of_cells(drawn.of(streams, shape, device))
            clips = replace(clips, given=clips.given + noise * clips.fluid)
        return clips

    def _whole(self, case: int) -> Series:
        return replace(self._still(case), frames=torch.from_numpy(self._moving(case, 0, None)))

    def _still(self, case: int) -> Series:
        """What does not change in time, without a frame."""
        fluid = self.fluid(case)
        return Series(
            torch.empty(len(CHANNELS), 0, *fluid.shape),
            torch.from_numpy(np.stack(self._fixed(case, self.dataset["t0_fields/signed_distance"][case]))),
            torch.from_numpy(fluid.astype(np.float32))[None, None],
        )

    def _moving(self, case: int, start: int, n_frames: int | None) -> F32:
        """Frames of a case as the network sees them; UserError if they are not finite."""
        return self._normalised(case, start, self.frames(case, start, n_frames), self.fluid(case))

    def _normalised(self, case: int, start: int, values: Floats, fluid: Bools) -> F32:
        """Frames [3, time, …] of a case from one on as the network sees them; UserError if they are not finite."""
        is_finite = np.isfinite(values[:, :, fluid]).all(axis=(0, 2))
        if not is_finite.all():
            frame = start + int(np.argmin(is_finite))
            raise UserError(f"{self.options.file}: case {case} is not finite in frame {frame}")
        return np.where(fluid, self.normalisation.normalised(values), 0).astype(np.float32)

    def _fixed(self, case: int, distance: Floats) -> list[F32]:
        """What the network sees of a case, at these distances [...], that does not change in time: of order one."""
        channels = [geometry_of(distance, self.cell)]
        if self.options.surface:
            channels.append(geometry_of(distance, self.cell, NEAR))
        if self.options.viscosity:
            viscosity = float(self.dataset["scalars/viscosity"][case])
            reynolds = self.speed(case) * self.cell / viscosity / USUAL_CELL_REYNOLDS
            channels.append(np.full_like(channels[0], math.log(reynolds)))
        return channels

    def _clips(self, cases: Sequence[int], length: int, stride: int = 0) -> list[int]:
        """Numbers of the clips of some cases; without a stride predicted frames do not overlap."""
        starts = range(0, self.n_frames - length + 1, stride or max(1, length - self.options.frames))
        if not starts or length <= self.options.frames:
            raise UserError(
                f"data: clips of {length} frames cannot be had from {self.options.file}, where a case has "
                f"{self.n_frames}; lower data.frames (now {self.options.frames}) or {self.options.longest}"
            )
        return [case * self.n_frames + start for case in cases for start in starts]

    def _cases(self) -> dict[str, list[int]]:
        status = self.dataset["computed"][:]
        if (status == PENDING).any():
            raise UserError(f"{self.options.file}: {int((status == PENDING).sum())} of {len(status)} cases are pending")
        done = complete(self.dataset, status)
        reynolds = self.dataset["scalars/reynolds_number"]
        outside = [case for case in done if self.options.outside.has(float(reynolds[case]), self.families(case))]
        return self.options.split.draw([case for case in done if case not in outside]) | {"outside": outside}
