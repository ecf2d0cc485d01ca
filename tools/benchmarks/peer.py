"""Programs that we are compared with: as the user names them, or installed into the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from runkit.errors import UserError


class Peer(NamedTuple):
    """`program` of an environment with `packages`; `option` names another, which is `wanted`. `works` tests it."""

    name: str
    program: str
    packages: Sequence[str]
    option: str
    wanted: str
    works: Callable[[Path], bool] = Path.exists

    def find(self, path: str | None) -> Path:
        """The executable at `path`, or that of an environment of its own in the user's cache; raises UserError."""
        if path:
            if not os.access(path, os.X_OK):
                raise UserError(f"{self.option} {path}: not an executable file")
            return Path(path).absolute()
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        venv = cache / "glassflow" / self.name.lower()
        program = venv / "bin" / self.program
        if not (program.exists() and self.works(program)):
            print(f"bench: installing {self.name} into {venv}", file=sys.stderr)
            install = [str(venv / "bin" / "python"), "-m", "pip", "install", "-q", *self.packages]
            for command in ([sys.executable, "-m", "venv", str(venv)], install):
                if subprocess.run(command).returncode:
                    message = f"{self.name} could not be installed into {venv}"
                    raise UserError(f"{message}; name {self.wanted} with {self.option}")
        return program
