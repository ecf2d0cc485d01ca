"""Trained weights as one file: safetensors, with all that is needed to use them, and checksums, in its header."""

from __future__ import annotations

import json
import math
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dtrain.config import PACKAGE, Recipe, load_recipe
from dtrain.data import Options
from dtrain.models import model as networks
from dtrain.normalisation import Normalisation
from dtrain.origin import Origin
from runkit.config import dump_toml
from runkit.errors import UserError
from runkit.files import natural
from runkit.outputs import as_path, state_of, written_whole
from runkit.version import code_version

PUBLISHED_RECIPE = PACKAGE / "recipes" / "botan_published.toml"
WEIGHTS_FILE = "model.safetensors"
Keys = TypeVar("Keys", bound=Options)
CHECKSUMS = "checksums"  # in the header; files of older code have none


@dataclass(frozen=True)
class Trained:
    """A network with its weights, as a run left it: `phase` is the stretch of training that they come from.

    `system` is what was simulated (`DataSet.system`), {} where the file does not have it.
    """

    network: nn.Module
    normalisation: Normalisation
    recipe: Recipe
    phase: str
    path: Path
    origin: Origin = field(default_factory=Origin)
    system: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the weights lie."""
        return self.path.parent

    @property
    def device(self) -> torch.device:
        """Where the network is computed."""
        return next(self.network.parameters()).device

    def n_train(self, parts: Mapping[str, Sequence[int]]) -> int:
        """How many samples it has learnt from; where that is not on record, those in the training part of a split."""
        return len(self.origin.learnt) or len(parts["train"])

    @property
    def options(self) -> Options:
        """The keys of [data] under which the weights were learnt."""
        return self.recipe.data_in(self.phase)

    def options_as(self, kind: type[Keys]) -> Keys:
        """The keys of [data], by their class: that of the data set with which the weights were learnt."""
        options = self.options
        assert isinstance(options, kind)
        return options


def save_model(
    path: Path,
    weights: Mapping[str, Tensor],
    recipe: Recipe,
    sizes: Mapping[str, Any],
    normalisation: Normalisation,
    about: Mapping[str, Any],
    origin: Origin | None = None,
) -> None:
    """Write weights, recipe and normalisation; the file replaces an old one at once.

    `sizes` are the parameters of the network that came from the data; `about` is a summary of the run;
    `origin` what it has learnt from. Raises UserError if the folder or the disk refuses.
    """
    header = {
        "recipe": dump_toml(recipe),
        "sizes": json.dumps(dict(sizes)),
        "normalisation": json.dumps(asdict(normalisation)),
        "about": json.dumps(dict(about)),
        "origin": (origin or Origin()).json(),
        "code": code_version(),
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    header[CHECKSUMS] = json.dumps({"header": _sum_of_header(header), "weights": _sum_of_weights(tensors)})
    with written_whole(path) as beside:
        try:
            save_file(tensors, beside, metadata=header)
        except SafetensorError as error:  # the disk is full
            raise UserError(f"{path} cannot be written: {error}") from error


def runs_at(path: str) -> list[str]:
    """The runs with weights that a path names: those of a campaign's folder, or the path alone."""
    folder = Path(path)
    if state_of(folder) is not None and folder.is_dir() and not (folder / WEIGHTS_FILE).exists():
        return sorted((str(model.parent) for model in folder.glob(f"*/{WEIGHTS_FILE}")), key=natural) or [path]
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
        fill(network, _load_pth(path), path)
        return Trained(network.eval(), Normalisation.identity(2), recipe, list(recipe.phase)[-1], path)
    weights, header = _load_safetensors(path)
    recipe = _recipe_in(header, path)
    network = build_network(recipe, _table_in(header, "sizes", path))
    fill(network, weights, path)
    origin = Origin.from_json(header.get("origin", "{}"), path)
    about = _table_in(header, "about", path)
    phase, system = about.get("phase") or list(recipe.phase)[-1], about.get("system") or {}
    if phase not in recipe.phase:
        raise UserError(f"{path} is damaged: its recipe has no phase {phase!r}")
    if not isinstance(system, dict):
        raise UserError(f"{path} is damaged: system in its header is no table of JSON")
    return Trained(network.eval(), _normalisation_in(header, path), recipe, phase, path, origin, system)


def read_recipe(path: Path | str) -> Recipe:
    """The recipe of a trained network, without its weights; UserError as for `load_model`."""
    path = _file_of(path)
    if path.suffix == ".pth":
        return load_recipe(PUBLISHED_RECIPE)
    return _recipe_in(_load_safetensors(path, False)[1], path)


def build_network(recipe: Recipe, sizes: Mapping[str, Any]) -> nn.Module:
    """The recipe's network with fresh weights, for inputs of these sizes; UserError if it refuses a parameter."""
    name, parameters = recipe.model.name, recipe.model.parameters
    sizes = sizes_of(recipe, sizes)
    for size, found in sizes.items():
        if parameters.get(size, found) != found:
            message = f"model.parameters.{size} = {parameters[size]!r}"
            raise UserError(f"{message}: the data make it {found}; leave it out, or set it to that")
    try:
        network: nn.Module = networks.build(name, **{**parameters, **sizes})
    except (RuntimeError, MemoryError) as error:  # torch cannot have so much memory
        message = (str(error).splitlines() or ["out of memory"])[0]
        raise UserError(f"model.parameters = {parameters}: {name} cannot be built: {message}") from error
    return network


def sizes_of(recipe: Recipe, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the sizes of data that the recipe's network is built by."""
    unknown = networks.unknown(recipe.model.name, sizes)
    return {size: found for size, found in sizes.items() if size not in unknown}


def about_model(path: Path | str) -> dict[str, Any]:
    """The summary of the run in the header of a `model.safetensors`."""
    return _table_in(_load_safetensors(Path(path), False)[1], "about", Path(path))


def fill(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Give a network the weights that were read from a file; UserError if they do not fit, or are not finite."""
    broken = [name for name, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise UserError(f"the weights of {path} are not finite: {broken[0]}")
    try:
        network.load_state_dict(dict(weights))
    except (RuntimeError, AttributeError, TypeError) as error:
        raise UserError(
            f"the weights of {path} do not fit the network: {str(error).splitlines()[-1].strip()}"
        ) from error


def _file_of(path: Path | str) -> Path:
    """The file of weights that a path names; UserError if there is none."""
    path = as_path(path)
    about = state_of(path)
    file = path / WEIGHTS_FILE if about is not None and stat.S_ISDIR(about.st_mode) else path
    if not (found := state_of(file)) or not stat.S_ISREG(found.st_mode):
        raise UserError(f"there are no weights at {file}")
    return file


def _recipe_in(header: Mapping[str, str], path: Path) -> Recipe:
    try:
        return load_recipe(None, defaults=tomllib.loads(header["recipe"]))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is damaged: its recipe is not TOML: {error}") from error


def _table_in(header: Mapping[str, str], name: str, path: Path) -> dict[str, Any]:
    """The table that a header holds as JSON under a name; UserError if that is no table."""
    try:
        table = json.loads(header.get(name, "{}"))
    except ValueError:
        table = None
    if not isinstance(table, dict):
        raise UserError(f"{path} is damaged: {name} in its header is no table of JSON")
    return table


def _normalisation_in(header: Mapping[str, str], path: Path) -> Normalisation:
    table = _table_in(header, "normalisation", path)
    try:
        mean, std = (tuple(map(float, table[name])) for name in ("mean", "std"))
    except (KeyError, TypeError, ValueError):
        mean, std = (), ()
    if not mean or len(mean) != len(std) or not all(map(math.isfinite, mean + std)) or min(std) <= 0:
        raise UserError(f"{path} is damaged: a mean and a positive spread of each output are needed in its header")
    return Normalisation(mean, std)


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
    kept = _table_in(header, CHECKSUMS, path)
    if kept and kept.get("header") != _sum_of_header(header):
        raise UserError(f"{path} is damaged: its header is not what was written")
    if kept and with_weights and kept.get("weights") != _sum_of_weights(weights):
        raise UserError(f"{path} is damaged: its weights are not what was written")
    missing = {"recipe", "sizes", "normalisation"} - header.keys()
    if missing:
        raise UserError(f"{path} does not come from dtrain: its header lacks {', '.join(sorted(missing))}")
    return weights, header


def _sum_of_header(header: Mapping[str, str]) -> str:
    """XXH3 (64 bits) of a header without the checksums."""
    texts = {name: text for name, text in header.items() if name != CHECKSUMS}
    return xxhash.xxh3_64_hexdigest(json.dumps(texts, sort_keys=True).encode())


def _sum_of_weights(tensors: Mapping[str, Tensor]) -> str:
    """XXH3 (64 bits) of names, types, shapes and bytes of tensors."""
    state = xxhash.xxh3_64()
    for name, value in sorted(tensors.items()):
        state.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        state.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
