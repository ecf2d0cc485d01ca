"""All pictures of a FLOW file and of networks that learnt from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from tools.drawing.flow_cases import draw_cases
from tools.drawing.flow_long import draw_long
from tools.drawing.flow_rollouts import animate_rollout, draw_range, draw_rollout, draw_variants
from tools.drawing.flow_scores import draw_scores, score_table, variants
from tools.drawing.picture import Picture
from tools.drawing.runs import Run


def flow_pictures(data: Dataset, runs: Sequence[Run]) -> Iterator[Picture]:
    """Everything that dataset and runs allow; raises UserError if no case has been computed."""
    if not (data["computed"][:] == COMPLETE).any():
        raise UserError(f"{data.path}: no case has been computed")
    yield draw_cases(data)
    here = [run for run in runs if Path(run.about["file"]).resolve() == data.path.resolve()]
    for run in here:
        yield draw_rollout(data, run)
        yield animate_rollout(data, run)
        if len(run.about["cases"]) > 1:
            yield draw_range(data, run)
        if (long := draw_long(data, run)) is not None:
            yield long
    if here:
        named = variants(here)
        yield draw_scores(data, named)
        yield score_table(named)
        if len(here) > 1:
            yield draw_variants(data, named)
