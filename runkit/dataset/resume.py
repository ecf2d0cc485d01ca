"""Whether an existing file is the one that a run would write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runkit.config import differences
from runkit.dataset.integrity import texts_are_damaged
from runkit.dataset.reader import Dataset, whole
from runkit.dataset.schema import Schema
from runkit.errors import UserError
from runkit.outputs import part_of, state_of

_WAY_OUT = "move the file away or choose another output"


def holds(path: Path, schema: Schema) -> bool:
    """Whether a file is one of this schema, finished or not."""
    try:
        with whole(path), Dataset(path, unfinished=True) as file:
            return file.schema.name == schema.name
    except UserError:
        return False


def found_at(path: Path, schema: Schema, config: Mapping[str, Any], free_keys: Sequence[str]) -> str:
    """What a run of this configuration would find under its output's name, in words; nothing is there: ""."""
    fates = {path: "is complete: a run ends at once", part_of(path): "is gone on with"}
    for there, fate in fates.items():
        if state_of(there) is None:
            continue
        try:
            with Dataset(there, unfinished=True) as file:
                if file.schema.name != schema.name:
                    return f"{there} holds {file.schema.name} data: a run is refused"
                changed = [key for key in differences(file.config, config) if key not in free_keys]
        except UserError as error:
            return f"{error}: a run is refused"
        message = f"was made with another {', '.join(changed)}: a run is refused" if changed else fate
        return f"{there} {message}"
    return ""


def require_readable(part: Path) -> None:
    """Raise UserError with the way out if an unfinished file is damaged, or none of ours."""
    try:
        with Dataset(part, unfinished=True) as file:
            _ = file.schema
    except UserError as error:
        raise UserError(f"{error}; it cannot be gone on with: move it away, and the run begins anew") from error


def check_same(
    path: Path,
    schema: Schema,
    shapes: Mapping[str, tuple[int, ...]],
    attributes: Mapping[str, Any],
    free_keys: Sequence[str],
) -> None:
    """Raise UserError if `path` has another schema, configuration or shape, naming all keys that differ."""
    with whole(path), Dataset(path, unfinished=True) as file:
        if (file.schema.name, file.schema.version) != (schema.name, schema.version):
            raise UserError(f"{path} holds {file.schema.name}, not {schema.name}; {_WAY_OUT}")
        changed = differences(file.config, attributes["config"])
        found = [f"{key} = {a!r} in the file, {b!r} now" for key, (a, b) in changed.items() if key not in free_keys]
        if found:
            differing = "; ".join(found)
            raise UserError(f"{path} was made with another configuration: {differing}; go back to it, {_WAY_OUT}")
        _require_same_inputs(path, file.parsed("inputs", dict, "{}"), attributes.get("inputs", {}))
        for name, shape in shapes.items():
            if name not in file.file:
                raise UserError(f"{path} lacks field {name}: it was made by an older code; {_WAY_OUT}")
            found = file.file[name].shape
            if found != shape:
                raise UserError(f"{path}: field {name} has shape {found}, not {shape}; {_WAY_OUT}")


def has_sums(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a file has arrays of checksums, of these shapes; those of older code have none. Raises UserError."""
    with whole(path), Dataset(path, unfinished=True) as file:
        found = {name: getattr(file.file.get(name), "shape", None) for name in shapes}
        if set(found.values()) == {None}:
            return False
        if found != shapes:
            raise UserError(f"{path}: its checksums are damaged, or of another code; {_WAY_OUT}")
        if texts_are_damaged(file):
            raise UserError(f"{path}: texts among its attributes were changed; {_WAY_OUT}")
    return True


def _require_same_inputs(path: Path, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise UserError if a file that the run reads has another content than when `path` was laid down."""
    changed = [name for name in now if name in then and then[name] != now[name]]
    if changed:
        raise UserError(f"{path} was made from another content of {', '.join(changed)}; restore it, {_WAY_OUT}")
