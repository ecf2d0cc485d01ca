"""What a configuration key allows, in words: for error messages and `--help`."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_KINDS = {int: "an integer", float: "a number", str: "text", bool: "true or false", Any: "any value"}
_PLURALS = {int: "integers", float: "numbers", str: "texts"}
_BOUNDS = {"gt": "> {}", "ge": ">= {}", "lt": "< {}", "le": "<= {}"}
_TEXTS = {"min_length": "at least {} long", "max_length": "at most {} long", "pattern": "that matches {}"}


def is_section(annotation: Any) -> bool:
    """Whether a key is a table of keys of its own."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def named_section(annotation: Any) -> type[BaseModel] | None:
    """The section of which a key holds any number by name (`dict[str, Section]`); None for other keys."""
    if get_origin(annotation) is dict and is_section(get_args(annotation)[1]):
        section: type[BaseModel] = get_args(annotation)[1]
        return section
    return None


def is_list(annotation: Any) -> bool:
    """Whether a key takes a list."""
    return get_origin(annotation) in (list, tuple, frozenset, set) or annotation in (list, tuple)


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
    """(dotted key, field, default) of every key of a configuration, sections entered."""
    for name, field in model.model_fields.items():
        if is_section(field.annotation):
            yield from leaves(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
        elif (section := named_section(field.annotation)) is not None:
            yield from leaves(section, f"{prefix}{name}.NAME.")
        else:
            yield prefix + name, field, field.get_default(call_default_factory=True)


def keys(model: type[BaseModel]) -> list[str]:
    """All dotted keys of a configuration."""
    return [key for key, _, _ in leaves(model)]


def allowed(model: type[BaseModel], names: Sequence[str]) -> str:
    """What the key with these names allows, or "" if there is no such key."""
    field = model.model_fields.get(names[0]) if names else None
    if field is None:
        return ""
    section, below = named_section(field.annotation), names[2:]
    if section is None and is_section(field.annotation):
        section, below = field.annotation, names[1:]  # type: ignore[assignment]
    if section is None:
        return describe(field)
    return allowed(section, below) if below else "a table of " + ", ".join(section.model_fields)


def describe(field: FieldInfo) -> str:
    """What a field allows, for example "an integer >= 2", with examples if it has some."""
    kind = _kind(field.annotation)
    limits = []
    for constraint in field.metadata:
        for attribute, words in (_BOUNDS | _TEXTS).items():
            bound = getattr(constraint, attribute, None)
            if bound is not None:
                limits.append(words.format(bound))
    words = " ".join([kind, " and ".join(limits)]).strip()
    return f"{words}, such as {' or '.join(map(str, field.examples))}" if field.examples else words


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(repr(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(argument) for argument in arguments if argument is not types.NoneType)
    if is_list(annotation):
        inner = [argument for argument in arguments if argument is not Ellipsis]
        return f"a list of {_PLURALS.get(inner[0], _kind(inner[0]))}" if inner else "a list"
    if origin in (dict, Mapping) or annotation is dict:
        return "a table"
    if is_section(annotation):
        return "a table"
    return _KINDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
