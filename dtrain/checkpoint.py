"""Trained weights as one file: safetensors, with all that is needed to use them in its header."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dtrain.config import PACKAGE, Recipe, load_recipe
from dtrain.models import model as networks
from dtrain.normalisation import Normalisation, Physical
from runkit.config import dump_toml
from runkit.errors import UserError
from runkit.version import code_version

PUBLISHED_RECIPE = PACKAGE / "recipes" / "botan_published.toml"


def save_model(
    path: Path,
    weights: Mapping[str, Tensor],
    recipe: Recipe,
    sizes: Mapping[str, int],
    normalisation: Normalisation,
    about: Mapping[str, Any],
) -> None:
    """Write weights, recipe and normalisation; the file replaces an old one at once.

    `sizes` are the parameters of the network that came from the data; `about` what a reader wants to know of the run.
    """
    header = {
        "recipe": dump_toml(recipe),
        "sizes": json.dumps(dict(sizes)),
        "normalisation": json.dumps(asdict(normalisation)),
        "about": json.dumps(dict(about)),
        "code": code_version(),
    }
    beside = path.with_name(path.name + ".tmp")
    save_file({name: value.detach().cpu().contiguous() for name, value in weights.items()}, beside, metadata=header)
    os.replace(beside, path)


def load_model(path: Path | str) -> tuple[Physical, Recipe]:
    """A trained network with outputs in physical units, on the CPU, and its recipe.

    `path` is a `model.safetensors`, the folder of a run, or published weights (`.pth`, a plain state dict). Raises
    UserError if it is none of these or does not fit the network.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        raise UserError(f"there are no weights at {path}")
    if path.suffix == ".pth":
        recipe = load_recipe(PUBLISHED_RECIPE)
        network: nn.Module = networks.build(recipe.model.name, **recipe.model.parameters)
        _fill(network, _load_pth(path), path)
        return Physical(network, Normalisation.identity(2)).eval(), recipe
    weights, header = _load_safetensors(path)
    recipe = load_recipe(None, defaults=tomllib.loads(header["recipe"]))
    network = build_network(recipe, json.loads(header["sizes"]))
    _fill(network, weights, path)
    numbers = {name: tuple(values) for name, values in json.loads(header["normalisation"]).items()}
    return Physical(network, Normalisation(**numbers)).eval(), recipe


def build_network(recipe: Recipe, sizes: Mapping[str, int]) -> nn.Module:
    """The recipe's network with fresh weights, for inputs of these sizes; UserError if it refuses a parameter."""
    network: nn.Module = networks.build(recipe.model.name, **{**sizes, **recipe.model.parameters})
    return network


def start_from(network: nn.Module, path: str) -> None:
    """Give a network the weights of a file; UserError if they do not fit."""
    if path:
        _fill(network, load_model(path)[0].network.state_dict(), Path(path))


def about_model(path: Path | str) -> dict[str, Any]:
    """What the header of a `model.safetensors` says of the run it comes from."""
    about: dict[str, Any] = json.loads(_load_safetensors(Path(path))[1]["about"])
    return about


def _load_pth(path: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        return weights
    except Exception as error:  # torch raises what its unpickler meets
        raise UserError(f"{path} holds no weights that are safe to load: {str(error).splitlines()[0]}") from error


def _load_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read as safetensors: {error}") from error
    missing = {"recipe", "sizes", "normalisation"} - header.keys()
    if missing:
        raise UserError(f"{path} does not come from dtrain: its header lacks {', '.join(sorted(missing))}")
    return weights, header


def _fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    try:
        network.load_state_dict(dict(weights))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise UserError(
            f"the weights of {path} do not fit the network: {str(error).splitlines()[-1].strip()}"
        ) from error
