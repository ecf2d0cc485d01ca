"""A run that is warned at a chosen place, as by a signal there."""

from __future__ import annotations

import pytest

from runkit.stop import Notice

IN_TIME = 25  # seconds: less than the 30 that are allowed


class Warned:
    """From now on runs of this process are warned after `n_places` questions whether they have to end."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.n_places = 0
        really = Notice.is_wanted

        def is_wanted(notice: Notice, ahead: float = 0.0) -> bool:
            self.n_places -= 1
            if self.n_places < 0:
                notice.learn("the test")
            return really(notice, ahead)

        patch.setattr(Notice, "is_wanted", is_wanted)
