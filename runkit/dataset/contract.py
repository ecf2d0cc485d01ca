"""The base class of file contracts: a schema, the rules between its fields, and the card of a file.

A contract is one file in `runkit/dataset/contracts/`, or in another package, with a class

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
    """A physical check of a good file: a line of its card, and a warning or ""."""

    line: str
    warning: str = ""


class Contract:
    """Base of all contracts: a schema with no rule beyond the ranges of its fields, and nothing on the card."""

    schema: ClassVar[Schema]

    def broken(self, dataset: Dataset) -> Iterator[str]:
        """Sentences on the rules between fields that do not hold."""
        yield from ()

    def card(self, dataset: Dataset) -> list[str]:
        """Lines that summarise the content for a person, beside its sizes and its progress."""
        return []

    def findings(self, dataset: Dataset) -> Iterator[Finding]:
        """Physical checks of the data; made of a file without faults only, since they may take long."""
        yield from ()

    def not_checked(self, dataset: Dataset) -> list[str]:
        """Checks that this file would allow and that are not made."""
        return []


def contract_of(dataset: Dataset) -> Contract:
    """The contract that a file follows; raises UserError if it is not one of ours."""
    found = contract.build(dataset.schema.name)
    assert isinstance(found, Contract)
    return found
