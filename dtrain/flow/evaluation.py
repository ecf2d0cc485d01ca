"""Comparing rollouts with the simulation on the cases held back, in shares over the processes.

Units: lattice units of the simulated grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dtrain.data.flow import Flow
from dtrain.flow.rollouts import CasePredictor, Rollout, mean_field, persistence
from dtrain.flow.scores import Reference, Row, rows_of
from dtrain.weights import Trained
from runkit.arrays import Floats
from runkit.mpi import World
from runkit.progress import Progress

CaseScores = dict[str, dict[str, Floats]]  # predictor -> score -> [time]


class Evaluation:
    """The cases to be scored; every method is collective."""

    def __init__(self, world: World, trained: Trained, data: Flow, which: tuple[Sequence[int], int, int]) -> None:
        self.world, self.trained, self.data, self.which = world, trained, data, which
        self.predictor, self.mean = CasePredictor(trained, data), mean_field(world, data)
        self._scored: dict[int, CaseScores] = {}

    def rollouts(self) -> Iterator[Rollout]:
        """The network's rollouts of this rank's cases, each scored beside its rivals on the way."""
        cases, start, n_frames = self.which
        mine = [cases[i] for i in self.world.share(len(cases))]
        for case in mine[:1]:
            self.predictor.make_ready(case, start)
        with Progress(self.world, len(mine), "cases", "rollouts") as progress:
            for case in mine:
                data, n_given = self.data, self.data.options.frames
                truth = data.frames(case, start + n_given, n_frames)
                distance = data.dataset["t0_fields/signed_distance"][case]
                reference = Reference(truth, data.fluid(case), distance, data.cell, data.speed(case))
                predicted = self.predictor(case, start, n_frames)
                rivals = {
                    self.trained.recipe.model.name: predicted,
                    "persistence": persistence(data, case, start, n_frames),
                    "mean field": np.repeat(self.mean[:, None], n_frames, axis=1),
                    "simulation": reference.frames,
                }
                self._scored[case] = {name: reference.score(frames) for name, frames in rivals.items()}
                yield case, predicted
                progress.advance()

    def rows(self) -> list[Row]:
        """Scores of all predictors, the network first, in the order of cases."""
        scored = {case: one for part in self.world.all_gather(self._scored) for case, one in part.items()}
        cases = self.which[0]
        return rows_of([scored[case] for case in cases], [self.data.shedding_period(case) for case in cases])

    def about(self, model: str, part: str) -> dict[str, Any]:
        """What was evaluated, and how long a frame takes."""
        data, (cases, start, n_frames) = self.data, self.which
        seconds, count = self.world.sum(np.array([self.predictor.seconds, self.predictor.n_frames]))
        return {
            "data": "flow",
            "model": model,
            "file": data.options.file,
            "part": part,
            "cases": list(cases),
            "n_train": self.trained.n_train(data.cases),
            "start": start,
            "n_given": data.options.frames,
            "n_frames": n_frames,
            "interval": data.interval,
            "device": self.predictor.device.type,
            "seconds_per_frame": float(seconds / count),
        }
