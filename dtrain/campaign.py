"""Campaigns: a grid of runs, shared out to groups of processes that each train one run at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dtrain.clock import Clock
from dtrain.config import Recipe
from dtrain.loop import train_run
from dtrain.ranks import Ranks
from dtrain.run_folder import folder_of, read_summary
from dtrain.tables import write_table
from runkit.config import flatten
from runkit.errors import UserError
from runkit.log import say


def train_campaign(ranks: Ranks, recipe: Recipe, clock: Clock) -> None:
    """Train all runs of a grid; a group takes the next run when it is through with one, and root writes a table.

    Runs that were finished before end at once. A run that fails does not stop the others; UserError at the end gives
    the number of those that did.
    """
    runs = recipe.runs()
    is_speaker = ranks.is_root and ranks.group == 0
    if is_speaker:
        say(ranks, f"{len(runs)} runs on {ranks.n_groups} group(s) of {ranks.size} process(es)")
    n_failed = 0
    while not clock.is_over and (turn := ranks.take_run()) < len(runs):
        try:
            train_run(ranks, runs[turn], clock)
        except UserError as error:
            n_failed += ranks.is_root
            say(ranks, f"{folder_of(runs[turn])}: failed: {error}")
    n_failed = ranks.count_all("campaign", n_failed, lambda: clock.announce(ranks))
    table = folder_of(recipe) / "campaign.csv"
    if is_speaker:
        _tabulate(table, list(recipe.campaign.grid), runs)
        say(ranks, f"scores of all finished runs: {table}")
    if n_failed:
        raise UserError(f"{n_failed} of {len(runs)} runs failed; what happened to each is said above")


def _tabulate(path: Path, keys: Sequence[str], runs: Sequence[Recipe]) -> None:
    """One row per finished run: its name, what it varies, and the validation scores of its weights."""
    rows = []
    for run in runs:
        summary = read_summary(run)
        if summary is not None:
            varied = {key: flatten(run)[key] for key in keys}
            rows.append({"run": run.name, **varied, "step": summary["step"], **summary["validation"]})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, rows)
