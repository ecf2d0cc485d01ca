"""RO-Crate 1.1: what archives of research data read.

Source: https://www.researchobject.org/ro-crate/specification/1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tools.card.facts import MARK, Facts, software_citation
from tools.card.options import Card

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
HDF5 = "https://www.nationalarchives.gov.uk/PRONOM/fmt/807"
CROISSANT = "croissant.json"


def crate(about: Card, facts: Sequence[Facts]) -> dict[str, Any]:
    """The description as JSON-LD: one flat list of entities that name each other."""
    first = facts[0]
    people = [{"@id": f"#{name.replace(' ', '-')}", "@type": "Person", "name": name} for name in about.creator]
    works = [_work(number, text) for number, text in enumerate([software_citation(), *about.citation])]
    parts = [_file(one) for one in facts]
    actions = [entity for one in facts for entity in _made(one)]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": about.name or first.path.stem,
        "description": about.description or " ".join(one.summary for one in facts),
        "datePublished": first.created[:10],
        "license": {"@id": about.license_url},
        "citation": _ids(works),
        "hasPart": [*_ids(parts), {"@id": CROISSANT}],
        "mentions": [{"@id": entity["@id"]} for entity in actions if entity["@type"] == "CreateAction"],
    }
    if people:
        root["author"] = _ids(people)
    if about.url:
        root["url"] = about.url
    licence = {"@id": about.license_url, "@type": "CreativeWork", "name": about.license}
    descriptor = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "description": MARK,
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    beside = {
        "@id": CROISSANT,
        "@type": "File",
        "name": "Croissant description of the fields",
        "encodingFormat": "application/ld+json",
    }
    kind = {"@id": HDF5, "@type": "WebSite", "name": "Hierarchical Data Format File, version 5"}
    graph = [descriptor, root, *parts, beside, kind, licence, *people, *works, *_unique(actions)]
    return {"@context": CONTEXT, "@graph": graph}


def _file(facts: Facts) -> dict[str, Any]:
    return {
        "@id": facts.name,
        "@type": "File",
        "name": facts.name,
        "description": facts.summary,
        "encodingFormat": ["application/x-hdf5", {"@id": HDF5}],
        "contentSize": str(facts.n_bytes),
        "sha256": facts.sha256,
        "dateCreated": facts.created,
    }


def _made(facts: Facts) -> list[dict[str, Any]]:
    """The run that made a file: the code with its version, and the configuration."""
    code, setting = f"#glassflow-{facts.code_version}", f"#configuration-{facts.name}"
    return [
        {
            "@id": f"#run-{facts.name}",
            "@type": "CreateAction",
            "name": f"simulation of {facts.name}",
            "instrument": {"@id": code},
            "object": {"@id": setting},
            "result": {"@id": facts.name},
            "endTime": facts.created,
        },
        {
            "@id": setting,
            "@type": "PropertyValue",
            "name": "configuration (JSON)",
            "value": str(facts.attributes.get("config", "unknown")),
        },
        {
            "@id": code,
            "@type": "SoftwareApplication",
            "name": "glassflow",
            "softwareVersion": facts.code_version,
        },
    ]


def _work(number: int, text: str) -> dict[str, Any]:
    """A thing to cite: a DOI names itself."""
    doi = text.removeprefix("https://doi.org/").removeprefix("doi:")
    if doi.startswith("10."):
        return {"@id": f"https://doi.org/{doi}", "@type": "ScholarlyArticle", "name": f"doi:{doi}"}
    return {"@id": f"#citation-{number}", "@type": "CreativeWork", "name": text}


def _ids(entities: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"@id": entity["@id"]} for entity in entities]


def _unique(entities: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({entity["@id"]: entity for entity in entities}.values())
