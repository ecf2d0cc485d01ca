"""Where the weights of a run come from before its first step, and which of them stay as they are.

`initial` gives a network all of its weights, `model.start` a part of it those of another network, such as a graph of
points the U-Net that it refines; parts in `model.frozen` are not trained.
"""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Any, TypeGuard

import numpy as np
from torch import nn

from dtrain.config import Recipe
from dtrain.normalisation import Normalisation
from dtrain.weights import Trained, fill, load_model
from runkit.errors import UserError
from runkit.registry import suggestion

SAME = 1e-3  # part of a spread by which the units of two networks may differ


def start_from(network: nn.Module, recipe: Recipe, normalisation: Normalisation) -> None:
    """Give a network the weights that its recipe names, and freeze parts of it; UserError if they do not fit.

    `normalisation` is that of the data: a part computes in units of the spread of its outputs.
    """
    if recipe.initial:
        _take(network, recipe.initial, "initial")
    for name, path in recipe.model.start.items():
        key = f"model.start.{name}"
        part = _part(network, name, key)
        trained = _take(part, path, key)
        _require_same_form(part, trained, f"{key} = {path!r}")
        units = trained.normalisation
        if not _alike(units, normalisation):
            both = f"spreads {units.std} there, {normalisation.std} here"
            raise UserError(f"{key} = {path!r}: it has other units ({both}); train it on the same data and split")
    hold_parts(network, recipe)


def hold_parts(network: nn.Module, recipe: Recipe) -> None:
    """Freeze the parts of a network that its recipe names; UserError for one that is not there, or if none is left."""
    for name in recipe.model.start:
        _part(network, name, f"model.start.{name}")
    for name in recipe.model.frozen:
        _freeze(_part(network, name, "model.frozen"))
    if recipe.model.frozen and not any(parameter.requires_grad for parameter in network.parameters()):
        raise UserError(f"model.frozen = {list(recipe.model.frozen)}: nothing is left to train")


def learnt_before(recipe: Recipe) -> set[str]:
    """Marks of the samples that the weights with which a run starts have learnt from."""
    paths = {"initial": recipe.initial, **{f"model.start.{part}": path for part, path in recipe.model.start.items()}}
    return set().union(*(_loaded(path, key).origin.learnt for key, path in paths.items() if path))


def _loaded(path: str, key: str) -> Trained:
    try:
        return load_model(path)
    except UserError as error:
        raise UserError(f"{key} = {path!r}: {error}") from error


def _take(network: nn.Module, path: str, key: str) -> Trained:
    """Give a network the weights of a file; returns the network of that file."""
    trained = _loaded(path, key)
    try:
        fill(network, trained.network.state_dict(), Path(path))
    except UserError as error:
        raise UserError(f"{key} = {path!r}: {error}") from error
    return trained


def _require_same_form(part: nn.Module, trained: Trained, told: str) -> None:
    """Raise UserError unless a part computes as the network does from which it has its weights."""
    theirs, ours = _form(trained.network), _form(part)
    for name in theirs.keys() & ours.keys():
        if theirs[name] != ours[name]:
            raise UserError(f"{told}: weights fit, but {name} is {theirs[name]} there and {ours[name]} here")


def _form(network: nn.Module) -> dict[str, Any]:
    """What a network computes with beside weights, by name: switches, counts, faces; of numbers how many there are."""
    return {
        ".".join(filter(None, (place, name))): f"{len(value)} numbers" if _are_numbers(value) else value
        for place, module in network.named_modules()
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "training" and isinstance(value, (bool, int, str, tuple, NoneType))
    }


def _are_numbers(value: Any) -> TypeGuard[tuple[float, ...]]:
    return isinstance(value, tuple) and bool(value) and all(isinstance(one, float) for one in value)


def _part(network: nn.Module, name: str, key: str) -> nn.Module:
    parts = [part for part, _ in network.named_modules() if part]
    if name not in parts:
        raise UserError(f"{key}: the network has no part {name!r}{suggestion(name, parts)}")
    return network.get_submodule(name)


def _freeze(part: nn.Module) -> None:
    """Keep a part as it is, also statistics that it would gather in training."""
    part.requires_grad_(False)
    part.eval()
    for module in part.modules():
        module.train = lambda mode=True, module=module: module  # type: ignore[method-assign, misc]


def _alike(one: Normalisation, other: Normalisation) -> bool:
    """Whether two networks compute in the same units."""
    if len(one.std) != len(other.std):
        return False
    means, spreads = (np.array([a, b]) for a, b in ((one.mean, other.mean), (one.std, other.std)))
    differences = np.abs(np.diff(means, axis=0)), np.abs(np.diff(spreads, axis=0))
    return all(bool((difference < SAME * spreads[0]).all()) for difference in differences)
