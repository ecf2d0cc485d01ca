"""All pictures of a FLOW file and of networks that learnt from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib.animation import Animation
from matplotlib.figure import Figure

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.errors import UserError
from tools.drawing.flow_cases import draw_cases
from tools.drawing.flow_rollouts import animate_rollout, draw_rollout, draw_variants
from tools.drawing.flow_scores import draw_scores, score_table, variants
from tools.drawing.runs import Run


def flow_pictures(data: Dataset, runs: Sequence[Run]) -> Iterator[tuple[str, Figure | Animation | str]]:
    """(name, drawing) of everything that dataset and runs allow; raises UserError if no case has been computed."""
    if not (data["computed"][:] == COMPLETE).any():
        raise UserError(f"{data.path}: no case has been computed")
    yield "flow_cases", draw_cases(data)
    here = [run for run in runs if Path(run.about["file"]).resolve() == data.path.resolve()]
    for run in here:
        yield f"rollout_{run.name}", draw_rollout(data, run)
        yield f"rollout_{run.name}", animate_rollout(data, run)
    if here:
        named = variants(here)
        yield "rollout_scores", draw_scores(named)
        yield "rollout_scores", score_table(named)
        if len(here) > 1:
            yield "rollout_variants", draw_variants(data, named)
