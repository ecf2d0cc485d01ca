"""Ensembles: networks that were trained alike from several seeds, and answer together by the mean of their answers.

Where answers are fed back (flow), it is their mean that is fed back, in every call.
Source: B. Lakshminarayanan et al., arXiv:1612.01474.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dtrain.config import Recipe
from dtrain.weights import Trained, load_model, read_recipe, runs_at
from runkit.config import differences
from runkit.errors import UserError

FOLDER = "ensemble"  # beside the runs, for results
_OWN = ("seed", "name", "output")  # keys in which the members of an ensemble may differ


class Ensemble(nn.Module):
    """Networks of one form; the answer is the mean of theirs."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        if hasattr(members[0], "reach"):  # in edges; members are of one form
            self.reach = members[0].reach

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.stack(found).mean(dim=0) for found in zip(*self.answers(*inputs), strict=True))

    def answers(self, *inputs: Tensor) -> list[tuple[Tensor, ...]]:
        """That of every member."""
        return [member(*inputs) for member in self.members]


def groups_at(path: str) -> list[list[str]]:
    """The runs that a path names, in groups that differ in nothing but their seed."""
    groups: list[tuple[Recipe, list[str]]] = []
    for run in runs_at(path):
        recipe = read_recipe(run)
        group = next((runs for first, runs in groups if not _differing(first, recipe)), None)
        if group is None:
            groups.append((recipe, [run]))
        else:
            group.append(run)
    return [runs for _, runs in groups]


def load_ensemble(runs: Sequence[str]) -> Trained:
    """The networks of some runs as one, with results beside theirs; raises UserError if they were not trained alike."""
    members = [load_model(run) for run in runs]
    first, *others = members
    for member in others:
        if (member.normalisation, member.phase) != (first.normalisation, first.phase):
            raise UserError(f"{member.path} and {first.path} have learnt from other targets: they are no ensemble")
        if dict(member.origin.parts) != dict(first.origin.parts):
            raise UserError(f"{member.path} and {first.path} have learnt from other samples: they are no ensemble")
    earlier = sorted({mark for member in members for mark in member.origin.earlier})
    name = "_".join([FOLDER, *filter(None, [_common_name(first.recipe)])])
    return replace(
        first,
        network=Ensemble([member.network for member in members]).eval(),
        recipe=first.recipe.model_copy(update={"name": name}),
        path=first.folder.parent / name / "mean of members",
        origin=replace(first.origin, earlier=earlier),
    )


def load_trained(path: str) -> Trained:
    """The network of a run, or of all runs of a campaign over seeds; raises UserError for other campaigns."""
    groups = groups_at(path)
    if len(groups) > 1:
        keys = sorted(_differing(*(read_recipe(runs[0]) for runs in groups[:2])))
        raise UserError(f"{path} holds runs that differ in {', '.join(keys)}, beside their seed; name one of them")
    (runs,) = groups
    return load_ensemble(runs) if len(runs) > 1 else load_model(Path(runs[0]))


def members_at(path: str) -> Iterator[Trained]:
    """The networks of a campaign over seeds, one after another; none for a lone run."""
    groups = groups_at(path)
    for run in groups[0] if len(groups[0]) > 1 else ():
        yield load_model(run)


def _differing(one: Recipe, other: Recipe) -> list[str]:
    """Keys that differ, but for those in which the members of an ensemble may."""
    return [key for key in differences(one, other) if key not in _OWN]


def _common_name(recipe: Recipe) -> str:
    """The name of a run of a campaign without its seed."""
    return re.sub(rf"(^|_)seed{recipe.seed}(?=_|$)", "", recipe.name).strip("_")
