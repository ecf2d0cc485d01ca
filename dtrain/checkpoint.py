"""Trained weights as one file: safetensors, with all that is needed to use them in its header."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dtrain.config import PACKAGE, Recipe, load_recipe
from dtrain.models import model as networks
from dtrain.normalisation import Normalisation
from runkit.config import dump_toml
from runkit.errors import UserError
from runkit.files import natural
from runkit.version import code_version

PUBLISHED_RECIPE = PACKAGE / "recipes" / "botan_published.toml"
MODEL = "model.safetensors"


@dataclass(frozen=True)
class Trained:
    """A network with its weights, as a run left it: `phase` is the stretch of training that they come from."""

    network: nn.Module
    normalisation: Normalisation
    recipe: Recipe
    phase: str
    path: Path

    @property
    def folder(self) -> Path:
        """Where the weights lie."""
        return self.path.parent

    @property
    def options(self) -> Any:
        """The keys of [data] under which the weights were learnt."""
        return self.recipe.data_in(self.phase)


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


def runs_at(path: str) -> list[str]:
    """The runs with weights that a path names: those of a campaign's folder, or the path alone."""
    folder = Path(path)
    if folder.is_dir() and not (folder / MODEL).exists():
        return sorted((str(model.parent) for model in folder.glob(f"*/{MODEL}")), key=natural) or [path]
    return [path]


def load_model(path: Path | str) -> Trained:
    """A trained network, on the CPU and ready to be evaluated.

    `path` is a `model.safetensors`, the folder of a run, or published weights (`.pth`, a plain state dict). Raises
    UserError if it is none of these or does not fit the network.
    """
    path = _file_of(path)
    if path.suffix == ".pth":
        recipe = read_recipe(path)
        network: nn.Module = networks.build(recipe.model.name, **recipe.model.parameters)
        _fill(network, _load_pth(path), path)
        return Trained(network.eval(), Normalisation.identity(2), recipe, list(recipe.phase)[-1], path)
    weights, header = _load_safetensors(path)
    recipe = _recipe_in(header)
    network = build_network(recipe, json.loads(header["sizes"]))
    _fill(network, weights, path)
    numbers = {name: tuple(values) for name, values in json.loads(header["normalisation"]).items()}
    phase = json.loads(header.get("about", "{}")).get("phase") or list(recipe.phase)[-1]
    return Trained(network.eval(), Normalisation(**numbers), recipe, phase, path)


def read_recipe(path: Path | str) -> Recipe:
    """The recipe of a trained network, without its weights; UserError as for `load_model`."""
    path = _file_of(path)
    return load_recipe(PUBLISHED_RECIPE) if path.suffix == ".pth" else _recipe_in(_load_safetensors(path, False)[1])


def build_network(recipe: Recipe, sizes: Mapping[str, int]) -> nn.Module:
    """The recipe's network with fresh weights, for inputs of these sizes; UserError if it refuses a parameter."""
    network: nn.Module = networks.build(recipe.model.name, **{**sizes, **recipe.model.parameters})
    return network


def start_from(network: nn.Module, path: str) -> None:
    """Give a network the weights of a file; UserError if they do not fit."""
    if path:
        _fill(network, load_model(path).network.state_dict(), Path(path))


def about_model(path: Path | str) -> dict[str, Any]:
    """What the header of a `model.safetensors` says of the run it comes from."""
    about: dict[str, Any] = json.loads(_load_safetensors(Path(path))[1]["about"])
    return about


def _file_of(path: Path | str) -> Path:
    """The file of weights that a path names; UserError if there is none."""
    file = Path(path) / MODEL if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise UserError(f"there are no weights at {file}")
    return file


def _recipe_in(header: Mapping[str, str]) -> Recipe:
    return load_recipe(None, defaults=tomllib.loads(header["recipe"]))


def _load_pth(path: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        return weights
    except Exception as error:  # torch raises what its unpickler meets
        raise UserError(f"{path} holds no weights that are safe to load: {str(error).splitlines()[0]}") from error


def _load_safetensors(path: Path, with_weights: bool = True) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            names = file.keys() if with_weights else ()
            weights = {name: file.get_tensor(name) for name in names}
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
