"""Scores of a network on the validation samples, shared out over the processes."""

from __future__ import annotations

from typing import Any

import torch

from dtrain.clock import Clock
from dtrain.data import AnyDataSet
from dtrain.data.loader import Feed
from dtrain.engine import Engine
from dtrain.ranks import Ranks
from runkit.config import Config
from runkit.stop import Stopped


class Validation:
    """The validation samples of a phase, and the losses and scores of a network on them."""

    def __init__(self, ranks: Ranks, network: Engine, data: AnyDataSet, feed: Feed[Any], loss: Config) -> None:
        self.ranks, self.network, self.data, self.feed, self.loss = ranks, network, data, feed, loss

    def scores(self, clock: Clock) -> dict[str, float]:
        """Mean over validation samples of losses and scores, in the order of samples for any number of ranks."""
        self.network.train(False)
        samples = self.data.split["validation"]
        # All ranks make the same number of calls, because DeepSpeed may communicate in each.
        turns = -(-len(samples) // self.ranks.size)
        mine = [samples[(turn * self.ranks.size + self.ranks.rank) % len(samples)] for turn in range(turns)]
        scored = []
        clock.begin()
        for sample in mine:
            scored.append((sample, self._score(sample)))
            if clock.is_due():
                clock.agree(self.ranks, can_wait=turns)
                if clock.is_over:
                    raise Stopped
        clock.begin()
        found = {sample: row for part in self.ranks.all_gather(scored) for sample, row in part}
        return {
            name: sum(found[sample][name] for sample in samples) / len(samples)
            for name in (found[samples[0]] if samples else ())
        }

    @torch.no_grad()
    def _score(self, sample: int) -> dict[str, float]:
        batch = self.feed.batch([sample])
        output = self.data.output(self.network, batch)
        losses = {name: loss.item() for name, loss in self.data.loss(output, batch, self.loss).items()}
        return {**losses, **self.data.scores(output, batch)}
