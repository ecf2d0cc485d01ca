"""Draw a dataset and what networks make of it.

    python tools/figures.py --dataset data/kob_andersen.h5 --run runs/botan --out figures

dataset.png: mobility, relaxation and label noise · rho_against_time.png: correlation with the simulation against time,
beside the noise ceiling and published models · slice_RUN.png: a slab of a test configuration, simulation beside
predictions · agreement_RUN.png: predicted against simulated propensity · training.png: training curves. Runs must have
been scored (dtrain/evaluate.py); a folder of runs, such as that of a campaign, stands for all runs below it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from drawing.dataset import draw_dataset
from drawing.runs import Run, find_runs
from drawing.scores import draw_rho
from drawing.slices import draw_agreement, draw_slice
from drawing.style import STYLE
from drawing.training import draw_training
from matplotlib.figure import Figure

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError


def pictures(dataset: Path, runs: Sequence[Run]) -> Iterator[tuple[str, Figure]]:
    """(name, figure) of everything that dataset and runs allow; raises UserError if the dataset has no labels."""
    with Dataset(dataset) as data:
        if data.schema.name != "ISOCONFIG" or not (data["labelled"][:] == COMPLETE).any():
            raise UserError(f"{dataset}: an ISOCONFIG file with labelled samples is needed")
        yield "dataset", draw_dataset(data)
        yield "rho_against_time", draw_rho(data, runs)
        for run in runs:
            if run.predictions and Path(run.about["file"]).resolve() == dataset.resolve():
                yield f"slice_{run.name}", draw_slice(data, run)
                yield f"agreement_{run.name}", draw_agreement(data, run)
    trained = [run for run in runs if run.curve("training")]
    if trained:
        yield "training", draw_training(trained)


def main() -> None:
    """Draw into a folder and print the names of the pictures."""
    parser = argparse.ArgumentParser(
        "python tools/figures.py", description="Draw a dataset and what networks make of it."
    )
    parser.add_argument("--dataset", type=Path, required=True, help="ISOCONFIG file")
    parser.add_argument("--run", type=Path, nargs="*", default=[], help="folders of scored runs")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder for the pictures")
    options = parser.parse_args()
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with plt.rc_context(STYLE):
            for name, figure in pictures(options.dataset, find_runs(options.run)):
                figure.savefig(options.out / f"{name}.png")
                plt.close(figure)
                print(options.out / f"{name}.png")
    except UserError as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
