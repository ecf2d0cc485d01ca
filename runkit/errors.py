"""The one kind of error that is shown to a user without a traceback, and exit codes that are no error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

UNFINISHED = 75  # exit code of a program that has to be run again (EX_TEMPFAIL of sysexits.h)
INTERRUPTED = 130  # of one that a reader has interrupted, as of a shell
Given = ParamSpec("Given")


class UserError(Exception):
    """The user's mistake or the machine's state: shown as one line, the program ends with exit code 2.

    The message names the key or file, its value, and what would be allowed.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def complain(error: BaseException | str) -> None:
    """Show an error as one line on standard error."""
    print(f"error: {error}", file=sys.stderr, flush=True)


def is_interrupt(error: BaseException) -> bool:
    """Whether a user has interrupted the program: libraries may fail in cleaning up, and show that instead."""
    below = error.__cause__ or error.__context__
    return isinstance(error, KeyboardInterrupt) or (below is not None and is_interrupt(below))


def in_one_line(*kinds: type[Exception]) -> Callable[[Callable[Given, int]], Callable[Given, int]]:
    """Decorator of a program's main function: a UserError, or an error of these kinds, is one line and exit code 2.

    An interrupt ends it without a message.
    """

    taken: tuple[type[BaseException], ...] = (UserError, KeyboardInterrupt, *kinds)

    def decorate(main: Callable[Given, int]) -> Callable[Given, int]:
        @wraps(main)
        def shown(*arguments: Given.args, **options: Given.kwargs) -> int:
            try:
                return main(*arguments, **options)
            except taken as error:
                if is_interrupt(error):
                    return INTERRUPTED
                complain(error)
                return 2

        return shown

    return decorate
