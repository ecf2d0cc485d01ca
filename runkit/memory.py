"""Memory, or open files, that a program cannot have, as one line: a machine or a limit that is too small is no mistake
of the code.
"""

from __future__ import annotations

import re
import resource

from runkit.errors import UserError

# How libraries report it: NumPy and Python by MemoryError, the loader, the C library and torch in words.
_WORDS = re.compile(
    r"failed to map segment|cannot allocate|unable to (allocate|mmap)|not enough memory|out of memory|can't allocate"
    r"|resource temporarily unavailable|can't start new thread|bad_alloc",
    re.IGNORECASE,
)
_FILES = "too many open files"


def shortage(error: BaseException) -> UserError | None:
    """The message for an error that comes from a lack of memory, or of open files; None for any other.

    A library may raise an error of its own instead: then the error that it was handling counts.
    """
    if isinstance(error, (ImportError, OSError, RuntimeError)) and _FILES in str(error).lower():
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return UserError(f"{_FILES} (ulimit -n allows {most}): raise it")
    is_one = isinstance(error, MemoryError)
    if not is_one and not (isinstance(error, (ImportError, OSError, RuntimeError)) and _WORDS.search(str(error))):
        below = error.__cause__ or error.__context__
        return shortage(below) if below is not None and isinstance(error, (ImportError, OSError)) else None
    first = (str(error).splitlines() or [""])[0]
    return UserError(f"out of memory{_limited()}{': ' if first else ''}{first}; lower the case, or give the job more")


def require_address_space(least: int) -> None:
    """Raise UserError where a limit leaves less than `least` bytes, in which libraries abort by themselves."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < least:
        raise UserError(f"out of memory{_limited()}: imports alone take {least >> 20} MiB; give the job more")


def _limited() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return "" if limit == resource.RLIM_INFINITY else f" (ulimit -v allows {limit >> 20} MiB)"
