"""The one kind of error that is shown to a user without a traceback, and the exit code of what is unfinished."""

from __future__ import annotations

import sys

UNFINISHED = 75  # exit code of a program that has to be run again (EX_TEMPFAIL of sysexits.h)


class UserError(Exception):
    """The reader's mistake or the machine's state: shown as one line, the program ends with exit code 2.

    The message names the key or file, its value, and what would be allowed.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def complain(error: Exception | str) -> None:
    """Show an error as one line on standard error."""
    print(f"error: {error}", file=sys.stderr, flush=True)
