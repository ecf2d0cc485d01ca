"""Draw a dataset and what networks make of it.

    python -m tools.figures --dataset data/kob_andersen.h5 --run runs/botan --out figures
    python -m tools.figures --dataset data/kob_andersen.h5 --format pdf          # or svg: for papers

Of glass formers: dataset: mobility, relaxation and label noise · rho_against_time: correlation with the simulation
against time, beside the noise ceiling and published models · scores_against_time: all other figures of the score,
chi_4 beside that of the simulation · slice_RUN: a slab of a test configuration, simulation
beside predictions · agreement_RUN: predicted against simulated propensity · mobile_regions.gif: how mobile regions
grow, of a file with many times.
Of flow: flow_cases: some cases · rollout_RUN and .gif: simulation, network and their difference along a rollout
· rollout_range_RUN: rollouts at the lowest and the highest Reynolds number · rollout_scores and .md: scores along
rollouts, and a table · rollout_variants: several networks side by side · long_RUN: statistics of long rollouts.
Of both: training: training curves. Each has its caption beside it, as NAME.txt. Runs must have been scored
(dtrain/evaluate.py); a folder of runs, such as that of a campaign, stands for all runs below it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from runkit.cli import OptionParser, plain_streams
from runkit.dataset.reader import Dataset
from runkit.errors import UserError, complain
from runkit.folders import make_folders
from tools.drawing.flow import flow_pictures
from tools.drawing.glass import glass_pictures
from tools.drawing.picture import KINDS as FORMATS
from tools.drawing.picture import Picture, save
from tools.drawing.runs import Run, find_runs
from tools.drawing.style import STYLE
from tools.drawing.training import draw_training

# Contract of the dataset -> data of a run, and what draws both.
KINDS = {name: ("flow", flow_pictures) for name in ("FLOW", "FLOW_3D")} | {"ISOCONFIG": ("glass", glass_pictures)}


def pictures(dataset: Path, runs: Sequence[Run]) -> Iterator[Picture]:
    """Everything that dataset and runs allow; raises UserError for another kind of file."""
    with Dataset(dataset) as data:
        kind, drawings = _kind(data)
        mine = [run for run in runs if run.data == kind]
        if runs and not mine:
            raise UserError(f"--run: none of {len(runs)} runs is of {kind} data, which {dataset} holds")
        yield from drawings(data, mine)
    trained = [run for run in mine if run.curve("training")]
    if trained:
        yield draw_training(trained)


def _kind(data: Dataset) -> tuple[str, Callable[..., Iterator[Picture]]]:
    """Data of a run, and what draws them; raises UserError where nothing does."""
    if data.schema.name not in KINDS:
        raise UserError(f"{data.path} holds {data.schema.name} data; allowed: {', '.join(KINDS)}")
    return KINDS[data.schema.name]


def main() -> None:
    """Draw into a folder and print the names of the pictures."""
    parser = OptionParser("python -m tools.figures", description="Draw a dataset and what networks make of it.")
    parser.add_argument("--dataset", type=Path, required=True, help="ISOCONFIG or FLOW file")
    parser.add_argument("--run", type=Path, nargs="*", action="extend", default=[], help="folders of scored runs")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder for the pictures")
    parser.add_argument("--format", choices=FORMATS, default="png", help="of figures; animations are GIF")
    options = parser.parse_args()
    try:
        runs = find_runs(options.run)
        with Dataset(options.dataset) as data:
            _kind(data)
        make_folders(options.out)  # where there is something to draw, before it is drawn
        with plt.rc_context(STYLE):
            for picture in pictures(options.dataset, runs):
                print(save(picture, options.out, options.format))
    except UserError as error:
        complain(error)
        sys.exit(2)


if __name__ == "__main__":
    with plain_streams():
        main()
