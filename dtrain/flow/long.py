"""Rollouts without end: a network goes on by itself, and the statistics of its flow stand beside the simulation's.

Frames are counted as they come and not kept. A rollout is out of bounds from the frame in which a value is not finite
or the speed exceeds BOUND times the largest of the simulation; what was gathered before it counts.
Source: G. Kohl et al., arXiv:2309.01745 (rollouts of 200,000 frames as a test of stability).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dtrain.data.flow import Flow
from dtrain.flow.rollouts import side_by_side
from dtrain.flow.statistics import Statistics, Summary
from dtrain.flow_metrics import spectrum_error, wake
from dtrain.weights import Trained
from runkit.arrays import F32, F64, Bools
from runkit.mpi import World
from runkit.progress import Progress

BOUND = 3.0
SAMPLED = 30_000  # a longer rollout gives mean, spectrum and divergence from every so many-th call only
LONGEST_SEGMENT = 512  # frames
CALLS = 16  # of the network, whose frames are looked at together


@dataclass(frozen=True)
class LongCase:
    """A case: the summaries of the network's flow and of the simulation's, and the last frame [3, x, y] of either."""

    case: int
    reynolds: float
    scale: float  # Strouhal number = scale / period in frames
    fluid: Bools
    network: Summary
    simulation: Summary
    last: tuple[F32, F32]
    n_wanted: int

    def numbers(self) -> dict[str, float]:
        """What tables show; ratios are the network's over the simulation's."""
        ours, theirs = self.network, self.simulation
        return {
            "case": self.case,
            "reynolds": self.reynolds,
            "frames": ours.n_frames,
            "bounded": float(ours.n_frames >= self.n_wanted),
            "mean_vrmse": _joint_error(ours.mean, theirs.mean, self.fluid),
            "fluctuation_ratio": _over(ours.fluctuation(self.fluid), theirs.fluctuation(self.fluid)),
            "rms_vrmse": _joint_error(ours.rms, theirs.rms, self.fluid),
            "spectrum_error": float(spectrum_error(ours.spectrum, theirs.spectrum)),
            "strouhal": self.scale / ours.period,
            "strouhal_simulation": self.scale / theirs.period,
            "lift_ratio": _over(ours.lift_rms, theirs.lift_rms),
            "divergence_ratio": _over(ours.divergence, theirs.divergence),
        }


class LongRollouts:
    """Some cases that a network continues from the frames given from `start` on, side by side."""

    def __init__(self, trained: Trained, data: Flow, cases: Sequence[int], start: int) -> None:
        self.network, self.data, self.cases, self.start = trained.network, data, list(cases), start
        self.device = trained.device
        self.fluid = {case: data.fluid(case) for case in self.cases}

    def run(self, world: World, n_frames: int) -> list[LongCase]:
        """All cases, in their order, shared out over the ranks; collective."""
        groups = side_by_side(self.data, self.cases, CALLS * self.data.options.frames, self.device)
        mine = [groups[i] for i in world.share(len(groups))]
        found: dict[int, LongCase] = {}
        with Progress(world, len(mine) * n_frames, "frames", "long rollouts") as progress:
            for group in mine:
                found |= self._group(group, n_frames, progress)
        gathered = {case: one for part in world.all_gather(found) for case, one in part.items()}
        return [gathered[case] for case in self.cases]

    def _group(self, cases: list[int], n_frames: int, progress: Progress) -> dict[int, LongCase]:
        """Cases side by side in one batch; those out of bounds are left alone, and nothing goes on without any."""
        simulated = {case: self._simulated(case) for case in cases}
        stride = self.data.options.frames * max(1, n_frames // SAMPLED)
        gathered = {case: self._statistics(case, n_frames, stride) for case in cases}
        last = {case: simulated[case][1] for case in cases}
        going = list(cases)
        for frames in self._frames(cases, n_frames):
            for case, values in zip(cases, frames, strict=True):
                limit = BOUND * simulated[case][0].largest
                n = _n_within(values[1:, :, self.fluid[case]], limit) if case in going else 0
                n -= n % self.data.options.frames if n < values.shape[1] else 0  # a call counts as a whole
                if n:
                    gathered[case].add(values[:, :n])
                    last[case] = values[:, n - 1]
                if n < values.shape[1] and case in going:
                    going.remove(case)
            progress.advance(frames.shape[2])
            if not going:
                break
        return {
            case: LongCase(
                case=case,
                reynolds=float(self.data.dataset["scalars/reynolds_number"][case]),
                scale=self._scale(case),
                fluid=self.fluid[case],
                network=gathered[case].summary(),
                simulation=simulated[case][0],
                last=(last[case], simulated[case][1]),
                n_wanted=n_frames,
            )
            for case in cases
        }

    @torch.inference_mode()
    def _frames(self, cases: list[int], n_frames: int) -> Iterator[F32]:
        """The frames [case, 3, t, x, y] of some calls after another, n_frames in all."""
        clips = self.data.stack([self.data.clip(case, self.start, 0) for case in cases]).to(self.device)
        frames, left = clips.given, n_frames
        while left > 0:
            found: list[torch.Tensor] = []
            while left > 0 and len(found) < CALLS:
                frames = self.network(*clips.inputs(frames))[0] * clips.fluid
                found.append(frames[:, :, :left])
                left -= frames.shape[2]
            block = torch.cat(found, dim=2).cpu().numpy()
            yield np.stack(
                [self.data.denormalised(one, self.fluid[case]) for case, one in zip(cases, block, strict=True)]
            )

    def _simulated(self, case: int) -> tuple[Summary, F32]:
        """The same of the simulation, from the first frame that is not given to the end of the file."""
        frames = self.data.frames(case, self.start + self.data.options.frames)
        statistics = self._statistics(case, frames.shape[1])
        statistics.add(frames)
        return statistics.summary(), frames[:, -1].astype(np.float32)

    def _statistics(self, case: int, n_frames: int, stride: int = 1) -> Statistics:
        n_known = self.data.n_frames - self.start - self.data.options.frames
        segment = min(LONGEST_SEGMENT, n_known)  # of both alike
        distance = self.data.dataset["t0_fields/signed_distance"][case]
        return Statistics(self.fluid[case], wake(distance, self.data.cell), n_frames, segment, stride)

    def _scale(self, case: int) -> float:
        """Strouhal number = scale / period in frames."""
        return float(self.data.dataset["scalars/length"][case]) / (self.data.speed(case) * self.data.interval)


def _joint_error(found: F64, wanted: F64, fluid: Bools) -> float:
    """VRMSE of two components [2, x, y] together: one of them may hardly vary."""
    x, y = found[:, fluid], wanted[:, fluid]
    return float(np.sqrt(_over(np.square(x - y).mean(axis=1).sum(), y.var(axis=1).sum())))


def _over(ours: float, theirs: float) -> float:
    """A ratio; NaN where the simulation has nothing, such as no fluctuation in a steady flow or a single frame."""
    return ours / theirs if theirs else float("nan")


def _n_within(velocity: F32, limit: float) -> int:
    """How many first frames of a velocity [2, time, cell] are finite, with no speed above a limit."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large to be squared is beyond any limit
        largest = np.square(velocity).sum(axis=0).max(axis=1)
    outside = np.flatnonzero(~(largest <= limit**2))  # no number is not below it either
    return int(outside[0]) if len(outside) else len(largest)
