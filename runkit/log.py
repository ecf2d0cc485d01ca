"""Lines on standard output, from root only."""

from __future__ import annotations

import sys
from typing import Protocol

from tqdm import tqdm


class Rank(Protocol):
    """One of those that work together."""

    @property
    def is_root(self) -> bool: ...


def say(world: Rank, text: str) -> None:
    """Print a line on standard output, from root only; a progress bar on the terminal stays whole."""
    if world.is_root:
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()
