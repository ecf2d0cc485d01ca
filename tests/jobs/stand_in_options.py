"""How the stand-ins read their options: by name, each with the pattern of its value, and nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

Options = list[tuple[str, str]]


def refuse(why: str) -> None:
    sys.exit(f"{sys.argv[1]}: {why}")


def parse(words: list[str], known: dict[str, str | None]) -> tuple[Options, list[str]]:
    """Options and what follows them. `known` gives the pattern of each option's value, None for those without one."""
    found: Options = []
    while words and words[0].startswith("-"):
        name, equals, value = words[0].partition("=") if words[0].startswith("--") else (words[0], "", "")
        words = words[1:]
        if name not in known:
            refuse(f"Unknown option {name}")
        pattern = known[name]
        if pattern is not None and not equals:
            if not words:
                refuse(f"{name} needs a value")
            value, words = words[0], words[1:]
        if pattern is not None and not re.fullmatch(pattern, value):
            refuse(f"{name} {value!r}: not understood")
        found.append((name, value))
    return found, words


def script_of(rest: list[str]) -> Path:
    """The one script, which must stand last: words after it would be its arguments."""
    if len(rest) != 1 or not Path(rest[0]).is_file() or not Path(rest[0]).read_text().startswith("#!"):
        refuse(f"one script is wanted, not {rest}")
    return Path(rest[0])


def directives(script: Path, mark: str, known: dict[str, str | None]) -> Options:
    """The options in lines of the script, which no shell expands."""
    found: Options = []
    for line in script.read_text().splitlines():
        if line.startswith(mark):
            if "$" in line.removeprefix(mark):
                refuse(f"{line!r}: variables are not expanded here")
            found += parse(line.removeprefix(mark).split(), known)[0]
    return found
