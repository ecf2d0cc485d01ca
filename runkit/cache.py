"""Files of a cache: several processes may write one at once, others see it whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_whole(path: Path, content: bytes) -> None:
    """Put a file that everybody may read into its folder; raises OSError, and then leaves nothing there."""
    with NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".tmp", delete=False) as file:
        beside = Path(file.name)
    try:
        beside.write_bytes(content)
        beside.chmod(0o644)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
