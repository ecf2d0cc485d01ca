"""The facts about a file, from its attributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import Field
from runkit.digest import digest
from runkit.version import package_version

MARK = "written by glassflow tools.card"  # in every description, by which ours are recognised
KINDS = {
    "ISOCONFIG": "Isoconfigurational ensembles of a glass former: trajectories from the same configurations with fresh"
    " velocities, and labels of particles and bonds that follow from them.",
    "FLOW": "Flows past obstacles by the lattice Boltzmann method: density and velocity in time, obstacles, drag and"
    " lift.",
}


@dataclass(frozen=True)
class Facts:
    """A file: `fields` with their shapes, `attributes` as the file has them."""

    path: Path
    sha256: str
    n_bytes: int
    schema: str
    version: int
    fields: list[tuple[Field, tuple[int, ...]]]
    sizes: dict[str, int]
    attributes: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.name

    @property
    def code_version(self) -> str:
        """Of the program that made the file."""
        return str(self.attributes.get("code_version", "unknown"))

    @property
    def created(self) -> str:
        """Date and time."""
        return str(self.attributes.get("created", ""))

    @cached_property
    def summary(self) -> str:
        """What it is, for a person."""
        kind = next((text for name, text in KINDS.items() if self.schema.startswith(name)), f"{self.schema} data.")
        sizes = ", ".join(f"{length} × {axis}" for axis, length in self.sizes.items())
        return f"{kind} {self.schema} version {self.version}; {sizes}."


def facts_of(path: Path) -> Facts:
    """Read them; raises UserError for a file that is none of ours or unfinished."""
    with Dataset(path) as data:
        present = [field for field in data.schema.fields if field.name in data]
        fields = [(field, field.shape(data.sizes)) for field in present]
        schema, attributes, sizes = data.schema, data.attributes, dict(data.sizes)
    return Facts(path, digest(path), path.stat().st_size, schema.name, schema.version, fields, sizes, attributes)


def software_citation() -> str:
    """How the code is cited."""
    return f"The glassflow authors: glassflow, version {package_version()}"
