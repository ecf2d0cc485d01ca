"""Where the weights of a run come from before its first step, and which of them stay as they are.

`initial` gives a network all of its weights, `model.start` a part of it those of another network, such as a graph of
points the U-Net that it refines; parts in `model.frozen` are not trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import NoneType

import numpy as np
from torch import nn

from dtrain.config import Recipe
from dtrain.frozen import freeze
from dtrain.normalisation import Normalisation
from dtrain.weights import Trained, fill, load_model
from runkit.errors import UserError
from runkit.registry import suggestion

SAME = 1e-3  # part of a spread, or of a number, by which two networks may differ
_OF_FORM = bool, int, float, str, tuple, list, NoneType
Starts = Mapping[str, Trained]  # networks from which a run starts, by the keys of the recipe that name them


def read_starts(recipe: Recipe) -> Starts:
    """The networks that a recipe names to start from; UserError, with the key, for one that cannot be read."""
    paths = {"initial": recipe.initial, **{_key(part): path for part, path in recipe.model.start.items()}}
    return {key: _loaded(path, key) for key, path in paths.items() if path}


def learnt_before(starts: Starts) -> set[str]:
    """Marks of the samples that they have learnt from."""
    return set().union(*(trained.origin.learnt for trained in starts.values()))


def start_from(network: nn.Module, recipe: Recipe, starts: Starts, normalisation: Normalisation) -> None:
    """Give a network the weights that its recipe names, and freeze parts of it; UserError if they do not fit.

    `normalisation` is that of the data: a part computes in units of the spread of its outputs.
    """
    if "initial" in starts:
        _take(network, starts["initial"], f"initial = {recipe.initial!r}")
    for name, path in recipe.model.start.items():
        key = _key(name)
        trained, told = starts[key], f"{key} = {path!r}"
        part = _part(network, name, key)
        _take(part, trained, told)
        units = trained.normalisation
        if not _alike(units, normalisation):
            both = f"spreads {units.std} there, {normalisation.std} here"
            raise UserError(f"{told}: it has other units ({both}); train it on the same data and split")
        _require_same_form(part, trained, told)
    hold_parts(network, recipe)


def hold_parts(network: nn.Module, recipe: Recipe) -> None:
    """Freeze the parts of a network that its recipe names; UserError for one that is not there, or if none is left."""
    for name in recipe.model.start:
        _part(network, name, _key(name))
    for name in recipe.model.frozen:
        part = _part(network, name, "model.frozen")
        if next(part.parameters(), None) is None:
            raise UserError(f"model.frozen: the part {name!r} has no weights; leave it away")
        freeze(part)
    if recipe.model.frozen and not any(parameter.requires_grad for parameter in network.parameters()):
        raise UserError(f"model.frozen = {list(recipe.model.frozen)}: nothing is left to train")


def _key(part: str) -> str:
    return f"model.start.{part}"


def _loaded(path: str, key: str) -> Trained:
    try:
        return load_model(path)
    except UserError as error:
        raise UserError(f"{key} = {path!r}: {error}") from error


def _take(network: nn.Module, trained: Trained, told: str) -> None:
    """Give a network the weights of another one."""
    try:
        fill(network, trained.network.state_dict(), trained.path)
    except UserError as error:
        raise UserError(f"{told}: {error}") from error


def _require_same_form(part: nn.Module, trained: Trained, told: str) -> None:
    """Raise UserError unless a part computes as the network does from which it has its weights."""
    theirs, ours = _form(trained.network), _form(part)
    for name, value in theirs.items():
        if name in ours and not _is_same(value, ours[name]):
            raise UserError(f"{told}: weights fit, but {name} is {value} there and {ours[name]} here")


def _form(network: nn.Module) -> dict[str, object]:
    """What a network computes with beside weights, by name: classes of layers, switches, numbers, faces."""
    found: dict[str, object] = {}
    for place, module in network.named_modules():
        values = {name: value for name, value in vars(module).items() if isinstance(value, _OF_FORM)}
        for name, value in {"class": type(module).__name__, **values}.items():
            if not name.startswith("_") and name != "training":
                found[".".join(filter(None, (place, name)))] = value
    return found


def _is_same(one: object, other: object) -> bool:
    """Whether two values of a form are equal; units come from data, so fractions need not be to the last digit."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=SAME)
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return one == other


def _part(network: nn.Module, name: str, key: str) -> nn.Module:
    parts = [part for part, _ in network.named_modules() if part]
    if name not in parts:
        raise UserError(f"{key}: the network has no part {name!r}{suggestion(name, parts)}")
    return network.get_submodule(name)


def _alike(one: Normalisation, other: Normalisation) -> bool:
    """Whether two networks compute in the same units."""
    if len(one.std) != len(other.std):
        return False
    means, spreads = (np.array([a, b]) for a, b in ((one.mean, other.mean), (one.std, other.std)))
    differences = np.abs(np.diff(means, axis=0)), np.abs(np.diff(spreads, axis=0))
    return all(bool((difference < SAME * spreads[0]).all()) for difference in differences)
