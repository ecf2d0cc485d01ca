"""Digests of the content of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from runkit.errors import UserError


def digest(path: Path | str) -> str:
    """SHA-256 of a file's content, as hexadecimal text; raises UserError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def digests(paths: Iterable[Path | str]) -> dict[str, str]:
    """Digest of each file by its name: the attribute `inputs` of a file that is made from them."""
    return {str(path): digest(path) for path in sorted(set(map(str, paths)))}
