"""One phase of a run: its steps, validations and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from dtrain.clock import Clock
from dtrain.config import Phase, Recipe
from dtrain.data import AnyDataSet, Batch, DataSet, Keys_contra, Network
from dtrain.data.loader import Feed, Order, Share, Step
from dtrain.engine import Engine
from dtrain.estimate import Cost
from dtrain.pace import Stopwatch, efficiency_of
from dtrain.ranks import Ranks
from dtrain.run_folder import RunFolder
from dtrain.schedule import learning_rate
from dtrain.validation import Validation
from runkit.efficiency import FILE, counted
from runkit.errors import UserError
from runkit.log import say
from runkit.progress import Patience, Progress, Reporter
from runkit.stop import Stopped

CURVES = "training", "validation"


@dataclass(frozen=True)
class State:
    """How far a run is; with the weights and the optimiser it is all that a checkpoint holds.

    `phase` counts phases that are over, `step` steps of all phases, `phase_step` those of the present one; `best` is
    the best score of the present phase and `stale` counts validations since. `is_unscored`: the last step is to be
    followed by a validation.
    """

    phase: int = 0
    step: int = 0
    phase_step: int = 0
    best: float | None = None
    stale: int = 0
    is_unscored: bool = False


class PhaseTrainer:
    """One phase of a run."""

    def __init__(
        self, ranks: Ranks, recipe: Recipe, name: str, data: AnyDataSet, engine: Engine, run_folder: RunFolder
    ) -> None:
        self.ranks, self.engine, self.run = ranks, engine, run_folder
        self.recipe, self.name, self.data = recipe, name, data
        self.phase: Phase = recipe.phase[name]
        self.loss = recipe.loss_in(name)
        per_epoch = len(data.split["train"]) / recipe.batch
        self.n_steps = max(1, math.ceil(self.phase.epochs * per_epoch))
        self.interval = max(1, round(recipe.validate_every * per_epoch))
        self.share = Share(recipe.batch, ranks.rank, ranks.size, engine.micro_batch)
        self.order = Order(tuple(data.split["train"]), recipe.seed, name)
        self.sums: dict[str, Tensor] = {}
        self.n_summed = 0
        self.feed = Feed(data, ranks.device)
        self.stopwatch = Stopwatch(self.feed)
        self.validation = Validation(ranks, engine, data, self.feed, self.loss)
        _ = data.normalisation  # computed before threads use it
        self.uncompiled = {"training", "validation"} if recipe.compile else set()

    def train(self, state: State, clock: Clock) -> State:
        """Train the steps that remain; the last checkpoint is one from which the next phase starts."""
        title = f"{self.run.path} {self.name}"
        say(self.ranks, f"{title}: {self.data.place(self.ranks.device)}")
        present = state.phase
        if state.is_unscored:
            state = self._validate_and_save(state, clock)
        if state.phase == present and not clock.is_over:
            state = self._take_steps(state, clock, title)
        self.data.place(torch.device("cpu"))  # leaves the memory of a GPU to the next phase
        return state

    def _take_steps(self, state: State, clock: Clock, title: str) -> State:
        present, steps = state.phase, range(state.phase_step, self.n_steps)
        clock.begin()
        with Progress(Reporter(self.ranks.is_root), len(steps), "steps", title) as progress:
            for step, micro_batches in zip(steps, self.feed.steps(self.order, self.share, steps), strict=True):
                self.engine.set_learning_rate(learning_rate(self.phase, step, self.n_steps))
                with self._patience("training"):
                    self._step(micro_batches)
                state = replace(state, step=state.step + 1, phase_step=step + 1)
                clock.keep(1)
                progress.advance()
                validates = state.phase_step == self.n_steps or state.phase_step % self.interval == 0
                if validates or state.step % self.recipe.log_every == 0:
                    self._log(state, clock)
                elif clock.is_due():
                    clock.agree(self.ranks, can_wait=self.recipe.log_every)
                self.stopwatch.step_is_over()
                if validates or clock.is_over:
                    state = self._validate_and_save(replace(state, is_unscored=validates), clock)
                    self.stopwatch.leave_out()
                if state.phase != present or clock.is_over:
                    break
        return state

    def _validate_and_save(self, state: State, clock: Clock) -> State:
        """Validate, unless the time is over or this step has none, and save where the run stands."""
        if state.is_unscored and not clock.is_over:
            with suppress(Stopped):  # by all ranks together; the state stays as it is
                state = self._validate(replace(state, is_unscored=False), clock)
                if state.phase_step == self.n_steps or 0 < self.phase.patience <= state.stale:
                    state = State(phase=state.phase + 1, step=state.step)
        # What `latest` names is never written into: the same step has another name before its validation.
        name = f"step{state.step:08}{'-unscored' * state.is_unscored}"
        self.engine.save(name, {**asdict(state), "curves": self._curves()})
        return state

    def pace(self, cost: Cost | None) -> dict[str, float]:
        """The pace of the steps, printed and returned (see `pace.efficiency_of`); collective."""
        found, message = efficiency_of(self.ranks, self.stopwatch.pace, self.recipe.batch, cost, self.engine.dtype)
        if message:
            say(self.ranks, f"{self.run.path} {self.name}: {message}")
        return found

    def _step(self, micro_batches: Step[Any]) -> None:
        """Compute losses and gradients, and update the weights; nothing here may make the host wait for a GPU."""
        self.engine.train()
        for batch, weights in micro_batches:
            parts = weighted_losses(self.engine, self.data, batch, weights, self.loss)
            self.engine.backward(parts["loss"])
            for name, part in parts.items():
                self.sums[name] = self.sums.get(name, 0.0) + part.detach()
        self.n_summed += len(micro_batches)

    def _patience(self, work: str) -> AbstractContextManager[object]:
        """A context that reports now and then while the first step, or validation, of a phase compiles the network."""
        if work not in self.uncompiled:
            return nullcontext()
        self.uncompiled.remove(work)
        return Patience(Reporter(self.ranks.is_root), f"{self.run.path} {self.name}: compiles the network for {work}")

    def _log(self, state: State, clock: Clock) -> None:
        """Report the mean losses since the last report; here all ranks agree on what is wrong and on when to stop."""
        own = torch.stack(list(self.sums.values())).double() / self.n_summed
        clock.is_due()
        losses = dict(zip(self.sums, clock.agree(self.ranks, own.tolist()), strict=True))
        self.sums, self.n_summed = {}, 0
        self._must_be_finite(losses["loss"], state)
        rate = learning_rate(self.phase, state.phase_step - 1, self.n_steps)
        self._report("training", state, {"learning_rate": rate, **losses})

    def _validate(self, state: State, clock: Clock) -> State:
        """Score the validation samples and keep the weights, or their average, if they are the best of this phase.

        Raises Stopped on all ranks if the time is over before that.
        """
        with self.engine.averaged():
            return self._validate_present(state, clock)

    def _validate_present(self, state: State, clock: Clock) -> State:
        """The same for the weights that the network has."""
        with self._patience("validation"):
            scores = self.validation.scores(clock)
        self._must_be_finite(scores.get("loss", 0.0), state)
        score = self.data.objective(scores, self.loss) if scores else None
        is_best = score is None or state.best is None or score > state.best
        if scores:
            self._report("validation", state, scores)
            text = ", ".join(f"{name} {value:.4g}" for name, value in scores.items())
            say(
                self.ranks,
                f"{self.run.path}: step {state.step}: validation: {text}{' (best)' if is_best else ''}",
            )
        if not is_best:
            return replace(state, stale=state.stale + 1)
        self._keep_weights(state, scores)
        return replace(state, best=score if score is None or math.isfinite(score) else None, stale=0)

    @counted(FILE)
    def _keep_weights(self, state: State, scores: Mapping[str, float]) -> None:
        weights = self.engine.weights()
        if self.ranks.is_root:
            reached = {"phase": self.name, "step": state.step}
            self.run.keep_model(weights, self.recipe, self.data, reached, scores)

    def _curves(self) -> dict[str, str]:
        """The tables so far, for the checkpoint: one that is damaged later is restored from there; collective."""
        texts = {name: self.run.curve(name).text() for name in CURVES} if self.ranks.is_root else {}
        found: dict[str, str] = self.ranks.bcast({name: text for name, text in texts.items() if text})
        return found

    @counted(FILE)
    def _report(self, curve: str, state: State, values: Mapping[str, float]) -> None:
        n_samples = state.step * self.recipe.batch
        if self.ranks.is_root:
            epoch = state.phase_step * self.recipe.batch / len(self.order.samples)
            self.run.curve(curve).append({"step": state.step, "phase": self.name, "epoch": round(epoch, 6), **values})
        self.engine.report({f"{curve}/{name}": value for name, value in values.items()}, n_samples)

    def _must_be_finite(self, loss: float, state: State) -> None:
        if not math.isfinite(loss):
            raise UserError(
                f"{self.run.path}: the loss is {loss} at step {state.step}; lower phase.{self.name}.learning_rate "
                f"(now {self.phase.learning_rate:g}) or raise phase.{self.name}.warmup"
            )


def weighted_losses(
    network: Network, data: DataSet[Batch, Keys_contra], batch: Batch, weights: Tensor, options: Keys_contra
) -> dict[str, Tensor]:
    """The sums over a micro-batch of each loss, weighted by sample; "loss" is what is minimised."""
    losses = data.loss(data.output(network, batch), batch, options)
    return {name: weights @ loss for name, loss in losses.items()}
