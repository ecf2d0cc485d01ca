"""Packages of somebody else that add parts, as an installer would leave them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runkit.outside import GROUP


def write_metadata(folder: Path, package: str, entries: Mapping[str, str]) -> None:
    """The metadata of `package` in `folder`, version 0.1; `entries` are its entry points: our package -> its module."""
    name = package.replace("_", "-")
    about = folder / f"{package}-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    listed = "\n".join(f"{place} = {module}" for place, module in entries.items())
    (about / "entry_points.txt").write_text(f"[{GROUP}]\n{listed}\n")
