"""The notes of a run in its folder, written before it trains; a run that goes on is compared with them.

`recipe.toml` is the whole recipe, `ds_config.json` the configuration of DeepSpeed; `notes.json` has the checksum of
each (XXH3, 64 bits), so that a damaged note is not taken for another recipe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xxhash

from dtrain.config import Recipe, load_recipe
from runkit.config import differences, dump_toml
from runkit.errors import UserError
from runkit.outputs import require_regular, require_replaceable, starts_with, state_of, written_whole

RECIPE, SETTINGS, SUMS = "recipe.toml", "ds_config.json", "notes.json"
_PLACES = ("memory", "device_memory", "keep_pairs")
# Keys that may differ when a run goes on: they do not change what is computed.
FREE_KEYS = ("output", "minutes", "grace_seconds", "device", "threads", "compile", *(f"data.{key}" for key in _PLACES))
# Of DeepSpeed's configuration: follows from the number of processes, or changes nothing that is computed.
_DERIVED = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "timers")


def write(path: Path, recipe: Recipe, engine_config: Mapping[str, Any]) -> None:
    """Write the notes; the recipe comes last and whole: a rerun is compared with it."""
    # DeepSpeed's JSON may be the user's own, which has what ours leaves out.
    require_replaceable(path / SETTINGS, _is_dumped_json, reads=[recipe.deepspeed] if recipe.deepspeed else [])
    require_replaceable(path / RECIPE, _is_dumped_recipe)
    require_replaceable(path / SUMS, starts_with(r'\{"recipe.toml": "'))
    texts = {RECIPE: dump_toml(recipe), SETTINGS: json.dumps(_settings(engine_config), indent=2) + "\n"}
    sums = {name: xxhash.xxh3_64_hexdigest(text.encode()) for name, text in texts.items()}
    for name, text in ((SUMS, json.dumps(sums)), (SETTINGS, texts[SETTINGS]), (RECIPE, texts[RECIPE])):
        with written_whole(path / name) as beside:
            beside.write_text(text, encoding="utf-8")


def hold(path: Path, recipe: Recipe, engine_config: Mapping[str, Any]) -> None:
    """Raise UserError if what was noted is damaged, or is another recipe. A note that was deleted is written anew."""
    sums = _sums(path / SUMS)
    there = [name for name in (RECIPE, SETTINGS) if state_of(path / name) is not None]
    for name in there:
        require_regular(path / name, state_of(path / name))
        if name in sums and sums[name] != xxhash.xxh3_64_hexdigest((path / name).read_bytes()):
            raise UserError(
                f"{path / name} is damaged: it is not what was written; delete this file, and the run goes on by the "
                "recipe that it is given, which has to be the same"
            )
    changed = differences(load_recipe(path / RECIPE), recipe) if RECIPE in there else {}
    if SETTINGS in there:
        settings = {"deepspeed": read_table(path / SETTINGS)}
        changed |= differences(settings, {"deepspeed": _settings(engine_config)})
    # The same data may lie elsewhere now: their content is compared (`require_origin`).
    free = {key for key in changed if key in FREE_KEYS or key == "data.file" or key.endswith(".data.file")}
    listed = [f"{key} (there {then!r}, now {now!r})" for key, (then, now) in changed.items() if key not in free]
    if listed:
        raise UserError(
            f"{path} holds a run by another recipe; keys that differ: {', '.join(listed)}; choose another name "
            f"(with initial={path} it starts from these weights)"
        )
    if len(there) < 2:
        write(path, recipe, engine_config)


def read_table(path: Path) -> dict[str, Any]:
    """A JSON table that a run has written; UserError if it is damaged."""
    require_regular(path, state_of(path))
    try:
        table = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}") from error
    if not isinstance(table, dict):
        raise UserError(f"{path} is damaged: it holds no table")
    return table


def _settings(engine_config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in engine_config.items() if key not in _DERIVED}


def _sums(path: Path) -> dict[str, str]:
    """Checksums by the name of the file; none where older code made the run, or they are damaged themselves."""
    try:
        return {str(name): str(value) for name, value in read_table(path).items()}
    except UserError:
        return {}


def _is_dumped_json(path: Path) -> bool:
    """Whether a file is JSON as a run writes it, to the letter."""
    try:
        text = path.read_text()
        return json.dumps(json.loads(text), indent=2) + "\n" == text
    except (OSError, ValueError):
        return False


def _is_dumped_recipe(path: Path) -> bool:
    """Whether a file is a recipe as a run writes it, with every key, and not one that somebody has written."""
    try:
        return dump_toml(load_recipe(path)) == path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, UserError):
        return False
