"""How long a training may take: what its processes know of their time, and when they ask each other."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from dtrain.ranks import Ranks
from runkit.stop import Limits, Notice

ASK_SECONDS = 5.0  # between questions, if a piece of work does not take longer
_EARLY = "ended early"  # count in the store of all groups


class Clock(Notice):
    """The time of a job. `is_over` changes only where all ranks of a group learn of it.

    They ask after numbers of pieces of work (steps, validated samples) that are the same on all.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.is_over = False
        self.begin()

    def begin(self) -> None:
        """Other pieces of work begin; how long one takes is not known yet."""
        self._n_pieces, self._interval, self._asked = 0, 1, time.monotonic()

    def is_due(self) -> bool:
        """Count a piece of work; whether it is time to ask."""
        self._n_pieces += 1
        return self._n_pieces >= self._interval

    def ask(self, ranks: Ranks, values: Sequence[float] = (), can_wait: float = math.inf) -> list[float]:
        """Whether the time is over; the means of `values` over the group. Collective.

        It is not while the next `can_wait` pieces of work take less than ASK_SECONDS: they end in a better place.
        """
        pace = (time.monotonic() - self._asked) / max(1, self._n_pieces)
        wanted = self.is_wanted(pace) or (ranks.is_root and self._is_told(ranks))
        *means, n_wanted, pace = ranks.mean([*values, float(wanted), pace])
        self.is_over = n_wanted > 0 and (can_wait == math.inf or pace * can_wait > ASK_SECONDS)
        self._n_pieces, self._interval, self._asked = 0, max(1, int(ASK_SECONDS / max(pace, 1e-9))), time.monotonic()
        if self.is_over:
            self.learn("another process was warned")
            self.tell(ranks)
        return means

    def tell(self, ranks: Ranks) -> None:
        """Let other groups know, if this process is to end, which has no work under way (not collective)."""
        if self.is_wanted():
            self.arrive()
            if ranks.n_groups > 1:
                ranks.store.add(_EARLY, 1)

    def _is_told(self, ranks: Ranks) -> bool:
        return ranks.n_groups > 1 and ranks.store.add(_EARLY, 0) > 0
