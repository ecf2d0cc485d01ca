"""The version of this code: that of the package, in a working copy its git commit, and the packages that add parts."""

from __future__ import annotations

import importlib.metadata
import subprocess
from functools import cache
from pathlib import Path

import runkit
from runkit.outside import other_packages

_DISTRIBUTION = "glassflow"
_NEW_FILES = "ls-files", "--others", "--exclude-standard", "runkit", "mdgen", "lbmgen", "dtrain"


@cache
def code_version() -> str:
    """For example "0.1.0+g1a2b3c4d5e6f", with ".dirty" if the working copy differs from its commit.

    New files count in the packages alone, where they may be parts: results and notes lie elsewhere.

    Packages of somebody else that add parts follow: "0.1.0 with their-package 0.1".
    """
    others = other_packages()
    return own_version() + (f" with {', '.join(others)}" if others else "")


def own_version() -> str:
    """The same without the packages that add parts."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return package_version()
    changes = _git("status", "--porcelain", "--untracked-files=no") or _git(*_NEW_FILES)
    return f"{package_version()}+g{commit}{'.dirty' if changes else ''}"


def package_version() -> str:
    """Version of the installed distribution, "unknown" if the code runs without being installed."""
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _git(*arguments: str) -> str:
    root = Path(runkit.__file__).parents[1]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
