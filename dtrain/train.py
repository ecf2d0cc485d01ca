"""Train a network: `deepspeed dtrain/train.py [show] [recipe.toml] [key=value …]`, also by `torchrun`, or alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from runkit.imports import TORCH, imports_of

with imports_of(__name__, TORCH):
    from dtrain.campaign import train_campaign
    from dtrain.clock import Clock
    from dtrain.config import Recipe, command_line
    from dtrain.estimate import cost_of
    from dtrain.loop import open_phases, train_run
    from dtrain.models import model as networks
    from dtrain.ranks import connect
    from dtrain.run_folder import folder_of
    from dtrain.start import hold_parts
    from dtrain.weights import build_network
    from runkit.cli import run_program
    from runkit.config import dump_toml
    from runkit.launcher import torch_launch
    from runkit.stop import unfinished


def train(recipe: Recipe) -> None:
    """Train the recipe's run, or its campaign, on all processes that were started together.

    Where it has to end early, the last process ends with code UNFINISHED, after the others, which end with 0: a
    launcher that ends all for the code of one finds nobody who still is at work.
    """
    is_campaign = bool(recipe.campaign.grid)
    with Clock(recipe) as clock:
        ranks = connect(recipe.device, recipe.threads, recipe.campaign.ranks_per_run if is_campaign else 0, recipe)
        with ranks.together():
            if is_campaign:
                train_campaign(ranks, recipe, clock)
            else:
                train_run(ranks, recipe, clock)
            is_unfinished = ranks.count_all("unfinished", int(clock.is_over)) > 0
            n_kept = ranks.count_all("kept", clock.kept if ranks.is_root else 0) if is_unfinished else 0
        if is_unfinished and ranks.number == 0:
            sys.exit(unfinished(ranks, folder_of(recipe), clock.why, n_kept))


def show(recipe: Recipe) -> None:
    """Print the resolved recipe, the split of the data, the size of the network and the steps of each phase."""
    print(dump_toml(recipe))
    if recipe.campaign.grid:
        print("# runs: " + ", ".join(run.name for run in recipe.runs()))
    of_phases = open_phases(recipe)
    for name, phase in recipe.phase.items():
        data = of_phases[name]
        network = build_network(recipe, data.sizes)
        hold_parts(network, recipe)
        n_steps = phase.epochs * len(data.split["train"]) / recipe.batch
        print(
            f"# phase {name}: {n_steps:.0f} steps of {recipe.batch} sample(s); "
            + ", ".join(f"{len(samples)} for {part}" for part, samples in data.split.items())
        )
        cost = cost_of(network, data, recipe.loss_in(name), recipe.ema)
        print(f"# cost {cost.in_words(recipe.micro or recipe.batch) if cost else 'not known: shapes depend on values'}")
        print(f"# network {recipe.model.name}: {sum(p.numel() for p in network.parameters()):,} parameters")


def main(words: Sequence[str]) -> None:
    """The program with its command line."""
    with imports_of(__name__):  # of networks and data sets
        model, line = command_line(words)
    parts = {"model.name": networks}
    run_program("python dtrain/train.py", model, train, show, arguments=line, launched=torch_launch, parts=parts)


if __name__ == "__main__":
    main(sys.argv[1:])
