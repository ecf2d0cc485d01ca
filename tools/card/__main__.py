"""Describe files for others: croissant.json (Croissant 1.1) and ro-crate-metadata.json (RO-Crate 1.1) beside them.

    python -m tools.card data/kob_andersen.h5 license=CC-BY-4.0 'creator=["Jane Doe"]'

Both have names, units and shapes of all fields, checksums of the files (SHA-256), licence, citation, the version of the
code and the configuration. Files are checked first: one with a problem is not described. All files of a call lie in one
folder and are one data set. Catalogues (Kaggle, OpenML, Zenodo) and search engines read these descriptions.

Source: https://docs.mlcommons.org/croissant and https://www.researchobject.org/ro-crate.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runkit.cli import run_program
from runkit.dataset.check import check
from runkit.errors import UserError
from runkit.outputs import require_replaceable, starts_with, written_whole
from tools.card.crate import crate
from tools.card.croissant import croissant
from tools.card.facts import MARK, facts_of
from tools.card.options import Card

NAMES = {"croissant.json": croissant, "ro-crate-metadata.json": crate}


def describe(options: Card) -> None:
    """Write both descriptions, or nothing."""
    paths = [Path(name) for name in options.file]
    folder = paths[0].parent
    for path in paths:
        if path.parent.resolve() != folder.resolve():
            raise UserError(f"file: {path} is not in the folder of {paths[0]}; a data set is described in one folder")
        report = check(path)
        if not report.good:
            raise UserError(f"{path}: {report.problems[0]}; python -m runkit.dataset.check {path} says more")
    facts = [facts_of(path) for path in paths]
    texts = {name: _text(make(options, facts)) for name, make in NAMES.items()}
    for name in texts:
        require_replaceable(folder / name, starts_with(rf"\{{[\s\S]*{MARK}"), reads=paths)
    for name, text in texts.items():
        with written_whole(folder / name) as beside:
            beside.write_text(text, encoding="utf-8")
        print(folder / name)


def _text(description: dict[str, Any]) -> str:
    return json.dumps(description, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    run_program("python -m tools.card", Card, describe, positional=("file",))
