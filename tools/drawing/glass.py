"""All pictures of an ISOCONFIG file and of networks that learnt from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from tools.drawing.dataset import draw_dataset
from tools.drawing.runs import Run
from tools.drawing.scores import draw_rho, draw_scores
from tools.drawing.slices import draw_agreement, draw_slice


def glass_pictures(data: Dataset, runs: Sequence[Run]) -> Iterator[tuple[str, Figure]]:
    """(name, figure) of everything that dataset and runs allow; raises UserError if the dataset has no labels."""
    if not (data["labelled"][:] == COMPLETE).any():
        raise UserError(f"{data.path}: no sample is labelled")
    yield "dataset", draw_dataset(data)
    yield "rho_against_time", draw_rho(data, runs)
    if runs:
        yield "scores_against_time", draw_scores(data, runs)
    for run in runs:
        if run.predictions and Path(run.about["file"]).resolve() == data.path.resolve():
            yield f"slice_{run.name}", draw_slice(data, run)
            yield f"agreement_{run.name}", draw_agreement(data, run)
