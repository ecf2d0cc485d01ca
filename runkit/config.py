"""Configurations: TOML and `key=value` become one frozen, checked object.

A program declares its keys as a tree of `Config` classes. Whatever is wrong in a file or on the command line is a
`UserError` of one line: which key, which value, what is allowed or which key is nearest, and where it was given.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from runkit.constraints import allowed, is_list, keys
from runkit.errors import UserError
from runkit.outputs import as_path, require_regular, state_of
from runkit.registry import suggestion

Model = TypeVar("Model", bound="Config")

# Keys that programs have in common.
Minutes = Annotated[float, Field(ge=0, description="wall time after which the run stops, to be resumed; 0: no limit")]
GraceSeconds = Annotated[
    float, Field(ge=1, description="time to leave the work in, when the time is over or a signal warns [s]")
]


class Config(BaseModel):
    """Base of all configurations: frozen, unknown keys refused; one value stands for a list of one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _one_value_is_a_list(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        lists = {name for name, field in cls.model_fields.items() if is_list(field.annotation)}
        return {
            name: [value] if name in lists and isinstance(value, (str, int, float)) else value
            for name, value in values.items()
        }

    @field_validator("*", mode="before")
    @classmethod
    def _a_truth_value_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        found = value if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(one, bool) for one in found) and _is_of_numbers(field.annotation):
            raise PydanticCustomError("truth_value", "numbers, not truth values")
        return value


def _is_of_numbers(annotation: Any) -> bool:
    """Whether a key takes numbers and no truth values."""
    kinds, left = set(), [annotation]
    while left:
        kind = left.pop()
        kinds.add(kind)
        left += get_args(kind) if get_origin(kind) is not Literal else ()
    return bool(kinds & {int, float}) and not kinds & {bool, Any}


def load(
    model: type[Model],
    path: Path | str | None,
    overrides: Sequence[str | Mapping[str, Any]] = (),
    defaults: Mapping[str, Any] | None = None,
) -> Model:
    """The configuration from `defaults`, the TOML file `path` and `section.key=value` overrides, which are strongest.

    A value of an override is read as TOML, and as plain text where it is not TOML; an override may also be a table.
    Raises UserError.
    """
    tree: dict[str, Any] = {}
    origin: dict[str, str] = {}
    _merge(tree, defaults or {}, "defaults", origin)
    if path is not None:
        _merge(tree, read_toml(path), str(path), origin)
    for override in overrides:
        tables = _parse(override) if isinstance(override, str) else override
        if not isinstance(tables, Mapping):
            raise UserError(f"{override!r} is not a setting; write section.key=value")
        _merge(tree, tables, "command line", origin)
    try:
        config = model.model_validate(tree)
    except ValidationError as error:
        raise UserError(_explain(model, error, origin)) from None
    for key, value in _not_finite(tree):  # in tables of any values, which the model does not look into
        raise UserError(f"{_place(key.split('.'), origin)}: {key} = {value} is not allowed; allowed: finite numbers")
    return config


def read_toml(path: Path | str) -> dict[str, Any]:
    """The tables of a TOML file; UserError if it is missing or not TOML."""
    try:
        path = as_path(path)
        require_regular(path, state_of(path))
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))  # some editors begin with a byte order mark
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from error


def dump_toml(config: Config) -> str:
    """The whole configuration as TOML; `load` of it gives the same configuration."""
    return tomli_w.dumps(_without_none(config.model_dump(mode="json")))


def flatten(values: Config | Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> plain value, for a configuration or nested tables."""
    tables = values.model_dump(mode="json") if isinstance(values, Config) else values
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def differences(a: Config | Mapping[str, Any], b: Config | Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> (value in a, value in b) where they differ; None where a key is not there."""
    flat_a, flat_b = flatten(a), flatten(b)
    names = sorted(flat_a.keys() | flat_b.keys())
    return {name: (flat_a.get(name), flat_b.get(name)) for name in names if flat_a.get(name) != flat_b.get(name)}


def _merge(
    tree: dict[str, Any], tables: Mapping[str, Any], place: str, origin: dict[str, str], prefix: str = ""
) -> None:
    for name, value in tables.items():
        if not isinstance(name, str):
            raise UserError(f"{place}: {prefix}{name!r} is not a key; keys are words")
        origin[prefix + name] = place
        if isinstance(value, Mapping):
            below = tree.get(name)
            tree[name] = dict(below) if isinstance(below, Mapping) else {}
            _merge(tree[name], value, place, origin, f"{prefix}{name}.")
        else:
            tree[name] = value


def _parse(override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise UserError(f"{override!r} is not a setting; write section.key=value")
    value: Any = text.strip()
    try:
        parsed = tomllib.loads(f"value = {value}")
        value = parsed["value"] if len(parsed) == 1 else value
    except tomllib.TOMLDecodeError:
        pass
    tables = {names[-1]: value}
    for name in reversed(names[:-1]):
        tables = {name: tables}
    return tables


def _explain(model: type[Config], error: ValidationError, origin: Mapping[str, str]) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"])
    names = [part for part in first["loc"] if isinstance(part, str)]
    if first["type"] == "extra_forbidden":
        text = f"unknown key {where!r}{suggestion(where, keys(model))}"
    elif first["type"] == "missing":
        text = f"{where} must be given; allowed: {allowed(model, names)}"
    elif first["type"] == "value_error":
        text = f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    else:
        text = f"{where} = {first['input']!r} is not allowed; allowed: {allowed(model, names) or first['msg']}"
    place = _place(names, origin)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {text}{more}" if place else f"{text}{more}"


def _not_finite(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Numbers in tables and lists that are infinite or not a number, with the dotted key of each."""
    if isinstance(value, float) and not math.isfinite(value):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _not_finite(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _not_finite(inner, key)


def _place(names: Sequence[str], origin: Mapping[str, str]) -> str:
    """Where the longest known part of a key was given."""
    for length in range(len(names), 0, -1):
        place = origin.get(".".join(names[:length]))
        if place:
            return place
    return ""


def _without_none(tables: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in tables.items()
        if value is not None
    }
