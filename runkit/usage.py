"""The text of `--help`: usage, and every key with its default, meaning and allowed range."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from runkit.config import Config
from runkit.constraints import describe, is_list, leaves
from runkit.registry import Registry


def help_text(
    name: str,
    model: type[Config],
    description: str,
    has_show: bool,
    positional: Sequence[str] = (),
    parts: Mapping[str, Registry[Any]] = MappingProxyType({}),
) -> str:
    """Usage of the program `name`, whose configuration is a `model`; keys name registered `parts`, with parameters."""
    width = max(60, min(110, shutil.get_terminal_size((100, 24)).columns))
    words = " ".join(_placeholder(model, key) for key in positional) or "[case.toml]"
    lines = [f"usage: {name} {'[show] ' if has_show else ''}{words} [section.key=value ...]", ""]
    paragraphs = (description or model.__doc__ or "").split("\n\n")
    lines += [textwrap.fill(" ".join(paragraph.split()), width) for paragraph in paragraphs if paragraph.strip()]
    lines += ["", 'Values are TOML (numbers, true, "text", [lists]); later ones win. Keys:', *_keys(model, width), ""]
    for key, registry in parts.items():
        lines += [*_parts(key, registry, width), ""]
    if has_show:
        lines.append("  show       print the resolved configuration and what it will cost, and end")
    lines += [
        "  --help     print this and end",
        "  --version  print versions of the code and of what it stands on, and end",
    ]
    return "\n".join(lines)


def _keys(model: type[Config], width: int) -> list[str]:
    lines: list[str] = []
    section = ""
    for key, field, default in leaves(model):
        if key.rpartition(".")[0] != section:
            section = key.rpartition(".")[0]
            lines.append("")
        lines.append(f"  {key} " + ("must be given" if field.is_required() else f"= {value_text(default)}"))
        about = f"{field.description + '; ' if field.description else ''}{describe(field)}"
        lines += textwrap.wrap(about, width, initial_indent="      ", subsequent_indent="      ")
    return lines


def _parts(key: str, registry: Registry[Any], width: int) -> list[str]:
    has_parameters = any(registry.choices(name) for name in registry.names())
    lines = [f"What {key} may name{', with parameters' if has_parameters else ''}:"]
    for name in registry.names():
        takes = registry.choices(name).items()
        words = [key if one.default is one.empty else f"{key} = {value_text(one.default)}" for key, one in takes]
        lines.append(f"  {name}" + (f" ({', '.join(words)})" if words else ""))
        about = (inspect.getdoc(registry.get(name)) or "").partition("\n\n")[0]
        lines += textwrap.wrap(about, width, initial_indent="      ", subsequent_indent="      ")
    return lines


def _placeholder(model: type[Config], key: str) -> str:
    """A positional key in a usage line: FILE, FILE ... or [FILE ...]."""
    field = model.model_fields[key]
    word = key.upper() + (" ..." if is_list(field.annotation) else "")
    return word if field.is_required() else f"[{word}]"


def value_text(value: Any) -> str:
    """A value as it would be written in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {value_text(item)}" for key, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else "not set" if value is None else str(value)
