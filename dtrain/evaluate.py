"""Score a trained network: `python dtrain/evaluate.py RUN [key=value …]`, also by `deepspeed` or `torchrun`.

Prints, and writes beside the model as evaluation.json and evaluation.csv, its scores on samples held back from training
beside those of its rivals; the predictions themselves go to evaluation.h5. What is scored depends on the data
(`dtrain/tasks/`). RUN may be the folder of a campaign, whose runs are scored one after another and put into scores.csv;
of runs that differ in nothing but their seed, the mean of all answers is scored too, in the folder `ensemble`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from runkit.imports import TORCH, imports_of

with imports_of(__name__, TORCH):
    import numpy as np

    from dtrain.ensemble import groups_at, load_ensemble
    from dtrain.ranks import Ranks, connected
    from dtrain.tables import write_table
    from dtrain.tasks import EvaluateOptions, options_in, task
    from dtrain.weights import Trained, load_model
    from runkit.cli import run_program
    from runkit.files import natural
    from runkit.folders import make_folders
    from runkit.launcher import torch_launch
    from runkit.log import say


def evaluate(options: EvaluateOptions) -> None:
    """Score the network of a run, or those of a campaign, on all processes that were started together."""
    with connected("the evaluation", options.device, options.threads, options) as ranks:
        _evaluate(ranks, options)


def _evaluate(ranks: Ranks, options: EvaluateOptions) -> None:
    groups = groups_at(options.run)
    n_runs = sum(map(len, groups))
    scored: dict[str, dict[str, float]] = {}
    ensembles: dict[str, dict[str, float]] = {}
    for runs in groups:
        members = {run: _score(ranks, load_model(run), options, n_runs > 1) for run in runs}
        scored |= members
        if len(runs) > 1:
            trained = load_ensemble(runs)
            ensembles[trained.folder.name] = _score(ranks, trained, options, True)
            say(ranks, _compared(trained, ensembles[trained.folder.name], list(members.values())))
    if n_runs > 1:
        table = {Path(run).name: scored[run] for run in sorted(scored, key=natural)} | ensembles
        path = Path(options.output or options.run) / "scores.csv"
        ranks.on_root(write_table, path, [{"run": name, **scores} for name, scores in table.items()])
        say(ranks, f"scores of {n_runs} runs: {path}")


def _score(ranks: Ranks, trained: Trained, options: EvaluateOptions, is_one_of_many: bool) -> dict[str, float]:
    """The headline scores of a network; the rest is written into its folder, or below `options.output`."""
    trained.network.to(ranks.device)
    folder = Path(options.output) if options.output else trained.folder
    if is_one_of_many and options.output:
        folder = folder / trained.folder.name
    ranks.on_root(make_folders, folder)
    return task.get(trained.recipe.data.name).evaluate(ranks, trained, options, folder)


def _compared(trained: Trained, of_mean: dict[str, float], of_members: Sequence[dict[str, float]]) -> str:
    """A table of the scores of an ensemble, and of mean and standard deviation over its members.

    A score and its standard error, which is called `NAME_error`, share a line; one that is not defined has none.
    """
    own = {name for name in of_mean if not (name.endswith("_error") and name.removesuffix("_error") in of_mean)}
    width = max(len("score"), *map(len, own))
    lines = [
        f"{trained.folder}: the mean of the answers of {len(of_members)} runs",
        f"{'score':{width}}  {'mean answers':>18}  {'mean of the runs':>18}  their standard deviation",
    ]
    for name, value in of_mean.items():
        values = [scores[name] for scores in of_members]
        if name not in own or np.isnan([value, *values]).all():
            continue
        with np.errstate(invalid="ignore"):  # a rollout that grows without bound has scores that are not finite
            average, spread = np.mean(values), np.std(values, ddof=1)
        error = of_mean.get(f"{name}_error", np.nan)
        text = f"{value:.4g}" + (f" +- {error:.2g}" if np.isfinite(error) else "")
        lines.append(f"{name:{width}}  {text:>18}  {average:>18.4g}  {spread:.2g}")
    return "\n".join(lines)


def main(words: Sequence[str]) -> None:
    """The program with its command line."""
    with imports_of(__name__):  # of networks and data sets
        options = options_in(words, "run", "Evaluate", EvaluateOptions)
    run_program(
        "python dtrain/evaluate.py", options, evaluate, arguments=words, positional=("run",), launched=torch_launch
    )


if __name__ == "__main__":
    main(sys.argv[1:])
