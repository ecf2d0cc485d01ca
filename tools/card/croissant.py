"""Croissant 1.1: what machine learning catalogues read.

A record set stands for a file; its fields are the arrays of the file, named by their path in it.
Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runkit.dataset.schema import Field
from tools.card.facts import MARK, Facts, software_citation
from tools.card.options import Card

_OWN = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject fileSet format"
    " includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace"
    " samplingRate separator source subField transform"
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{word: f"cr:{word}" for word in _OWN.split()},
}
TYPES = {"f": "sc:Float", "i": "sc:Integer", "u": "sc:Integer", "b": "sc:Boolean"}


def croissant(about: Card, facts: Sequence[Facts]) -> dict[str, Any]:
    """The description as JSON-LD."""
    first = facts[0]
    cited = [software_citation(), *about.citation]
    description = {
        "@type": "sc:Dataset",
        "sdPublisher": {"@type": "sc:Organization", "name": MARK},  # who wrote this description
        "@context": CONTEXT,
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": about.name or first.path.stem,
        "description": about.description or " ".join(one.summary for one in facts),
        "license": about.license_url,
        "version": "1.0.0",
        "datePublished": first.created[:10],
        "dateCreated": first.created,
        "citeAs": "; ".join(cited),
        "keywords": ["simulation", "surrogate model", *sorted({one.schema for one in facts})],
        "isLiveDataset": False,
        "distribution": [_file(one) for one in facts],
        "recordSet": [_records(one) for one in facts],
    }
    if about.url:
        description["url"] = about.url
    if about.creator:
        description["creator"] = [{"@type": "sc:Person", "name": name} for name in about.creator]
    return description


def _file(facts: Facts) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": facts.name,
        "name": facts.name,
        "description": f"{facts.summary} Made by glassflow {facts.code_version}; configuration: "
        f"{facts.attributes.get('config', 'unknown')}",
        "contentUrl": facts.name,
        "contentSize": f"{facts.n_bytes} B",
        "encodingFormat": "application/x-hdf5",
        "sha256": facts.sha256,
    }


def _records(facts: Facts) -> dict[str, Any]:
    records = Path(facts.name).stem
    return {
        "@type": "cr:RecordSet",
        "@id": records,
        "name": records,
        "description": f"Fields of {facts.name}.",
        "field": [_field(facts, records, field, shape) for field, shape in facts.fields],
    }


def _field(facts: Facts, records: str, field: Field, shape: tuple[int, ...]) -> dict[str, Any]:
    axes = f" Axes: {', '.join(field.dims)}." if field.dims else ""
    described: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{records}/{field.name}",
        "name": field.name,
        "description": f"{field.doc}. Unit: {field.unit}.{axes}",
        "dataType": TYPES.get(np.dtype(field.dtype).kind, "sc:Text"),
        "source": {"fileObject": {"@id": facts.name}, "extract": {"column": field.name}},
    }
    if shape:
        described |= {"isArray": True, "arrayShape": ",".join(map(str, shape))}
    return described
