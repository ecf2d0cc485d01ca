"""Draw a dataset and what networks make of it.

    python -m tools.figures --dataset data/kob_andersen.h5 --run runs/botan --out figures

Of glass formers: dataset.png: mobility, relaxation and label noise · rho_against_time.png: correlation with the
simulation against time, beside the noise ceiling and published models · scores_against_time.png: all other figures of
the score, chi_4 beside that of the simulation · slice_RUN.png: a slab of a test configuration,
simulation beside predictions · agreement_RUN.png: predicted against simulated propensity.
Of flow: flow_cases.png: some cases · rollout_RUN.png and .gif: simulation, network and their difference along a rollout
· rollout_scores.png and .md: scores along rollouts, and a table · rollout_variants.png: several networks side by side.
Of both: training.png: training curves. Runs must have been scored (dtrain/evaluate.py); a folder of runs, such as that
of a campaign, stands for all runs below it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.animation import Animation, PillowWriter
from matplotlib.figure import Figure

from runkit.cli import OptionParser, plain_streams
from runkit.dataset.reader import Dataset
from runkit.errors import UserError, complain
from runkit.folders import make_folders
from runkit.outputs import require_replaceable, starts_with, written_whole
from tools.drawing.flow import flow_pictures
from tools.drawing.glass import glass_pictures
from tools.drawing.runs import Run, find_runs
from tools.drawing.style import STYLE
from tools.drawing.training import draw_training

# Contract of the dataset -> data of a run, and what draws both.
KINDS = {"ISOCONFIG": ("glass", glass_pictures), "FLOW": ("flow", flow_pictures)}
FRAMES_PER_SECOND = 6
MARK = "glassflow tools.figures"  # in every picture, so that it can be told from others of its name
# Kind of drawing -> suffix of its file, and whether a file is such a drawing.
OURS = {
    str: (".md", starts_with(r"\|  \| VRMSE, frame")),
    Animation: (".gif", starts_with(rf"GIF89a[\s\S]*{MARK}")),
    Figure: (".png", starts_with(rf"\x89PNG[\s\S]*Software\x00{MARK}")),
}


class _Marked(PillowWriter):
    """Writes the mark into a GIF as its comment."""

    def finish(self) -> None:
        self._frames: list  # of Pillow's images
        self._frames[0].info["comment"] = MARK.encode()
        super().finish()


def pictures(dataset: Path, runs: Sequence[Run]) -> Iterator[tuple[str, Figure | Animation | str]]:
    """(name, drawing) of everything that dataset and runs allow; raises UserError for another kind of file."""
    with Dataset(dataset) as data:
        if data.schema.name not in KINDS:
            raise UserError(f"{dataset} holds {data.schema.name} data; allowed: {', '.join(KINDS)}")
        kind, drawings = KINDS[data.schema.name]
        mine = [run for run in runs if run.data == kind]
        if runs and not mine:
            raise UserError(f"--run: none of {len(runs)} runs is of {kind} data, which {dataset} holds")
        yield from drawings(data, mine)
    trained = [run for run in mine if run.curve("training")]
    if trained:
        yield "training", draw_training(trained)


def save(drawing: Figure | Animation | str, folder: Path, name: str) -> Path:
    """Write a figure as PNG, an animation as GIF, a table as Markdown; the path of the file.

    Raises UserError if a file of this name is there that is not such a picture of ours.
    """
    kind = next(kind for kind in OURS if isinstance(drawing, kind))
    suffix, is_ours = OURS[kind]
    path = folder / (name + suffix)
    require_replaceable(path, is_ours)
    with written_whole(path) as beside:
        if isinstance(drawing, str):
            beside.write_text(drawing, encoding="utf-8")
        elif isinstance(drawing, Animation):
            with plt.rc_context({"savefig.bbox": "standard"}):  # all frames of one size
                drawing.save(beside, _Marked(fps=FRAMES_PER_SECOND), dpi=100)
        else:
            drawing.savefig(beside, metadata={"Software": MARK})
    plt.close("all")
    return path


def main() -> None:
    """Draw into a folder and print the names of the pictures."""
    parser = OptionParser("python -m tools.figures", description="Draw a dataset and what networks make of it.")
    parser.add_argument("--dataset", type=Path, required=True, help="ISOCONFIG or FLOW file")
    parser.add_argument("--run", type=Path, nargs="*", default=[], help="folders of scored runs")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder for the pictures")
    options = parser.parse_args()
    try:
        make_folders(options.out)
        with plt.rc_context(STYLE):
            for name, drawing in pictures(options.dataset, find_runs(options.run)):
                print(save(drawing, options.out, name))
    except UserError as error:
        complain(error)
        sys.exit(2)


if __name__ == "__main__":
    with plain_streams():
        main()
