"""Campaigns: a grid of runs, shared out to groups of processes that each train one run at a time."""

from __future__ import annotations

from dtrain.config import Recipe
from dtrain.loop import train_run
from dtrain.ranks import Ranks
from runkit.errors import UserError
from runkit.log import say


def train_campaign(ranks: Ranks, recipe: Recipe) -> None:
    """Train all runs of a grid; each group takes the next run when it has finished one.

    Runs that were finished before end at once. A run that fails does not stop the others; all failures are reported at
    the end by a UserError.
    """
    runs = recipe.runs()
    if ranks.group == 0:
        say(ranks, f"{len(runs)} runs on {ranks.n_groups} groups of {ranks.size} process(es)")
    failures = []
    while (turn := ranks.take_turn()) < len(runs):
        try:
            train_run(ranks, runs[turn])
        except UserError as error:
            failures.append(f"{runs[turn].name}: {error}")
            say(ranks, f"failed: {failures[-1]}")
    if failures:
        raise UserError(f"{len(failures)} run(s) of the campaign failed: {'; '.join(failures)}")
