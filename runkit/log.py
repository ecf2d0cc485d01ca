"""One line for the reader, from root only."""

from __future__ import annotations

import sys

from tqdm import tqdm

from runkit.mpi import World


def say(world: World, text: str) -> None:
    """Print a line on standard output, from root only; a progress bar on the terminal stays whole."""
    if world.is_root:
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()
