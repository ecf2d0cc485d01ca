"""Score a trained network: `python dtrain/evaluate.py RUN [key=value …]`, also by `deepspeed` or `torchrun`.

Prints, and writes beside the model as evaluation.json and evaluation.csv, its scores on samples held back from training
beside those of its rivals; the predictions themselves go to evaluation.h5. What is scored depends on the data
(`dtrain/tasks/`). RUN may be the folder of a campaign, whose runs are scored one after another and put into scores.csv.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runkit.cli import run_program
from runkit.folders import make_folders
from runkit.launcher import torch_launch
from runkit.log import say
from runkit.memory import memory_for_imports

with memory_for_imports():
    from dtrain.ranks import connect
    from dtrain.tables import write_table
    from dtrain.tasks import EvaluateOptions, task, task_in
    from dtrain.weights import load_model, runs_at


def evaluate(options: EvaluateOptions) -> None:
    """Score the network of a run, or those of a campaign, on all processes that were started together."""
    ranks = connect(options.device, options.threads, purpose=options)
    with ranks.together():
        runs, rows = runs_at(options.run), []
        for run in runs:
            trained = load_model(run)
            trained.network.to(ranks.device)
            folder = Path(options.output) if options.output else trained.folder
            if len(runs) > 1 and options.output:
                folder = folder / trained.folder.name
            ranks.on_root(make_folders, folder)
            scores = task.get(trained.recipe.data.name).evaluate(ranks, trained, options, folder)
            rows.append({"run": trained.folder.name, **scores})
        if len(runs) > 1:
            path = Path(options.output or options.run) / "scores.csv"
            ranks.on_root(write_table, path, rows)
            say(ranks, f"scores of {len(runs)} runs: {path}")


def main(words: Sequence[str]) -> None:
    """The program with its command line."""
    options = getattr(task_in(words, "run"), "Evaluate", EvaluateOptions)
    run_program(
        "python dtrain/evaluate.py", options, evaluate, arguments=words, positional=("run",), launched=torch_launch
    )


if __name__ == "__main__":
    main(sys.argv[1:])
