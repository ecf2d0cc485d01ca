"""All pictures of an ISOCONFIG file and of networks that learnt from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from tools.drawing.dataset import draw_dataset
from tools.drawing.mobility import FEWEST_FRAMES, animate_mobility
from tools.drawing.picture import Picture
from tools.drawing.runs import Run
from tools.drawing.scores import draw_rho
from tools.drawing.slices import draw_agreement, draw_slice


def glass_pictures(data: Dataset, runs: Sequence[Run]) -> Iterator[Picture]:
    """Everything that dataset and runs allow; raises UserError if the dataset has no labels."""
    if not (data["labelled"][:] == COMPLETE).any():
        raise UserError(f"{data.path}: no sample is labelled")
    yield draw_dataset(data)
    yield draw_rho(data, runs)
    if len(data["time"]) >= FEWEST_FRAMES:
        yield animate_mobility(data)
    for run in runs:
        if run.predictions and Path(run.about["file"]).resolve() == data.path.resolve():
            yield draw_slice(data, run)
            yield draw_agreement(data, run)
