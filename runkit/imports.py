"""What may happen to a program before its run begins, while it is imported: too little memory, an interrupt, a warning.

Imports take seconds, on a busy file system minutes. A batch system may warn a job by a signal meanwhile, of which a
process dies that takes none: the job would end like one that failed, not like one that is unfinished.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from runkit.errors import INTERRUPTED, UNFINISHED, UserError, complain, is_interrupt
from runkit.launcher import this_launch
from runkit.memory import require_address_space, shortage

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)  # by which batch systems warn
# Bytes of addresses without which these and what comes with them cannot be used: they end a process by themselves.
NUMBA, TORCH = 512 << 20, 1200 << 20
GRACE_SECONDS = 30.0  # for ranks to find each other, so that all know of the warning
_early: list[int] = []  # signals that no run has taken yet


@contextmanager
def imports_of(module: str, least: int = 0) -> Iterator[None]:
    """A context for the imports of a program; `module` is the `__name__` of its module.

    Where memory, or a limit below `least` bytes of addresses, does not suffice for them, the program ends with one line
    and code 2; after an interrupt it ends without a message. If the module is run, not imported, signals that warn are
    handled from here on until a run takes them over (`runkit.stop`): a process alone ends at once, with one line and
    code UNFINISHED, and one of many ranks keeps them for the run, since launchers let the others wait for a rank that
    ends before it has joined them. An interrupt while Python shuts down ends the program without a message, too.
    """
    is_program = module == "__main__"
    if is_program:
        sys.unraisablehook = _interrupt_again
        for number in SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:  # one that is ignored stays so
                signal.signal(number, take_early)
    try:
        if is_program:
            require_address_space(least)
        yield
    except (Exception, KeyboardInterrupt) as error:
        if is_interrupt(error):
            sys.exit(INTERRUPTED)
        message = error if is_program and isinstance(error, UserError) else shortage(error)
        if message is None:
            raise
        complain(message)
        sys.exit(2)
    if is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_DFL)  # called before what imports have registered


def take_early(number: int, _frame: Any) -> None:
    """The handler of a process whose run has not begun."""
    if this_launch().size == 1:
        _end(number)
    if not _early:
        threading.Thread(target=_end_late, name="early", daemon=True).start()
    _early.append(number)


def taken_early() -> list[int]:
    """The signals that came before the run, which are the run's from here on."""
    taken = _early.copy()
    _early.clear()
    return taken


def _interrupt_again(dropped: Any) -> None:
    """Let an interrupt come again that has fallen into a destructor or a callback, where Python prints and drops it."""
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        main = threading.main_thread().ident  # which may wait in a system call
        threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(dropped)


def _end_late() -> None:
    time.sleep(GRACE_SECONDS)
    if _early:
        _end(_early[0])


def _end(number: int) -> NoReturn:
    complain(f"{signal.Signals(number).name} came before the run had begun; the same command begins it")
    os._exit(UNFINISHED)
