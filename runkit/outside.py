"""Parts from packages of somebody else, by the entry-point group that all registries read.

Their pyproject.toml names, for a package of ours that holds parts, the module of theirs that adds to it:

    [project.entry-points."glassflow.parts"]
    "mdgen.potentials" = "their_package.potentials"

It is imported when the parts of that package are first looked up; if it is a package, so are all modules in it.
Source: https://packaging.python.org/en/latest/specifications/entry-points/.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import runkit
from runkit.errors import UserError

GROUP = "glassflow.parts"


def import_modules(name: str) -> None:
    """Import a module and, if it is a package, all modules in it."""
    module = importlib.import_module(name)
    for inside in pkgutil.iter_modules(getattr(module, "__path__", [])):
        importlib.import_module(f"{name}.{inside.name}")


def import_parts(package: str) -> None:
    """Import what other packages add to `package`; UserError names the one that fails."""
    for entry in _entries():
        if entry.name != package:
            continue
        try:
            import_modules(entry.value)
        except (Exception, SystemExit) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise UserError(
                f"package {_owner(entry)} cannot be used: its {entry.value}, which adds to {package}, fails: {reason}; "
                "mend or remove it"
            ) from error


def other_packages() -> tuple[str, ...]:
    """Name and version of each installed package that adds parts, such as "their-package 0.1"."""
    return tuple(dict.fromkeys(map(_owner, _entries())))


@cache
def _entries() -> tuple[EntryPoint, ...]:
    """All entries of the group, by the name of the package that has them; UserError for one that adds to nothing."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: (_owner(entry), entry.name))
    root = Path(runkit.__file__).parents[1]
    for entry in found:
        if not root.joinpath(*entry.name.split(".")).is_dir():
            raise UserError(
                f"package {_owner(entry)} cannot be used: its {entry.value} adds to {entry.name!r}, which is no "
                "package with parts; allowed: such as 'mdgen.potentials'; mend or remove it"
            )
    return tuple(found)


def _owner(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of unknown name"
