"""The time limit of a training, and the points at which its processes agree on whether it is over."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from dtrain.ranks import Ranks
from runkit.stop import Limits, Notice

AGREE_SECONDS = 5.0  # between two agreements, if a piece of work does not take longer
_EARLY = "ended early"  # count in the store of all groups


class Clock(Notice):
    """The time of a job. `is_over` changes only in `agree`, on all ranks of a group at once.

    Agreements come after numbers of pieces of work (steps, validated samples) that are the same on all.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.is_over = False
        self.begin()

    def begin(self) -> None:
        """Other pieces of work begin; how long one takes is not known yet."""
        self._n_pieces, self._interval, self._agreed = 0, 1, time.monotonic()

    def is_due(self) -> bool:
        """Count a piece of work; whether an agreement is due."""
        self._n_pieces += 1
        return self._n_pieces >= self._interval

    def agree(self, ranks: Ranks, values: Sequence[float] = (), can_wait: float = math.inf) -> list[float]:
        """Agree on whether the time is over (`is_over`); returns the means of `values` over the group. Collective.

        The next `can_wait` pieces of work are still done if they take less than AGREE_SECONDS.
        """
        pace = (time.monotonic() - self._agreed) / max(1, self._n_pieces)
        wanted = self.is_wanted(pace) or (ranks.is_root and self._is_announced(ranks))
        *means, n_wanted, pace = ranks.mean([*values, float(wanted), pace])
        self.is_over = n_wanted > 0 and (can_wait == math.inf or pace * can_wait > AGREE_SECONDS)
        self._n_pieces, self._interval = 0, max(1, int(AGREE_SECONDS / max(pace, 1e-9)))
        self._agreed = time.monotonic()
        if self.is_over:
            self.learn("another process was warned")
            self.announce(ranks)
        return means

    def announce(self, ranks: Ranks) -> None:
        """Announce to other groups that this process ends, if it does, and has no work under way (not collective)."""
        if self.is_wanted():
            self.arrive()
            if ranks.n_groups > 1:
                ranks.store.add(_EARLY, 1)

    def _is_announced(self, ranks: Ranks) -> bool:
        return ranks.n_groups > 1 and ranks.store.add(_EARLY, 0) > 0
