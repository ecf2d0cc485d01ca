"""What a file contract is: a schema, the rules between its fields, and what a card tells of a file.

A contract is one file in `runkit/dataset/contracts/`, or in a package of somebody else's, with a class

    @contract(SCHEMA.name)
    class Mine(Contract):
        schema = SCHEMA

The reader then opens such files, `Writer` lays them down, and `python -m runkit.dataset.check` checks them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import Schema, contract


class Finding(NamedTuple):
    """What the numbers of a good file say of what they stand for: a line of its card, and a warning or ""."""

    told: str
    warning: str = ""


class Contract:
    """Base of all contracts: a schema with no rule beyond the ranges of its fields, and nothing on the card."""

    schema: ClassVar[Schema]

    def broken(self, dataset: Dataset) -> Iterator[str]:
        """Sentences on the rules between fields that do not hold."""
        yield from ()

    def card(self, dataset: Dataset) -> list[str]:
        """Lines that tell a person what is in the file, beside its sizes and its progress."""
        return []

    def findings(self, dataset: Dataset) -> Iterator[Finding]:
        """Whether the data are what they seem: asked for of a file without faults, since it may take long."""
        yield from ()

    def not_checked(self, dataset: Dataset) -> list[str]:
        """What this file could be checked for and is not."""
        return []


def contract_of(dataset: Dataset) -> Contract:
    """The contract that a file follows; raises UserError if it is not one of ours."""
    found = contract.build(dataset.schema.name)
    assert isinstance(found, Contract)
    return found
