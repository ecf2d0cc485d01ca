"""The one command line of all programs: `[show] [case.toml] [section.key=value …]`.

    run_program("mdgen", Case, run=partial(launch, generate), show=show)
    run_program("predict", Options, run=predict, positional=("model", "file"))      # predict MODEL FILE … [key=value …]

Every process of a parallel launch reads the command line by itself, before MPI or torch are touched: a mistake ends all
of them with code 2 and one line from rank 0, and nothing can hang.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import runkit
from runkit.config import Config, load, read_toml
from runkit.constraints import is_list
from runkit.errors import INTERRUPTED, UserError, complain, is_interrupt
from runkit.launcher import Launch, alone, this_launch
from runkit.memory import shortage
from runkit.outputs import is_file
from runkit.programs import owner
from runkit.registry import Registry
from runkit.usage import help_text
from runkit.version import code_version

Model = TypeVar("Model", bound=Config)

TIMEOUT = 120  # seconds for libraries to load and give their versions
CLOSED = 141  # exit code when the reader of the standard output has left, as of a program that SIGPIPE ends
_SETTING = re.compile(r"[A-Za-z_][\w.\-]*=")
# The deepspeed launcher appends this to the command line of every process; the environment has the same number.
_LAUNCHER_OPTION = re.compile(r"--local[_-]rank=\d+")


def run_program(
    name: str,
    model: type[Model],
    run: Callable[[Model], object],
    show: Callable[[Model], object] | None = None,
    description: str = "",
    arguments: Sequence[str] | None = None,
    positional: Sequence[str] = (),
    launched: Callable[[], Launch] = this_launch,
    parts: Mapping[str, Registry[Any]] = MappingProxyType({}),
) -> None:
    """Read the command line, then call `run(config)`, or `show(config)` on rank 0 alone.

    Words that are not settings give the `positional` keys in their order, the last key all that remain if it is a list;
    without such keys the only word is a configuration file. `launched` gives the rank of this process among those that
    were started together. `parts` are the registries whose parts keys name: `--help` lists them with their parameters.

    A UserError, or a lack of memory, ends the program with code 2 and one line on standard error. It ends with code 141
    if the pipe that takes its standard output is closed, and after an interrupt with 130 and no message.
    """
    words = [
        word for word in (sys.argv[1:] if arguments is None else arguments) if not _LAUNCHER_OPTION.fullmatch(word)
    ]
    is_root = _speaks(this_launch())
    with plain_streams():
        try:
            is_root = _speaks(launched())
            about = partial(help_text, name, model, description, show is not None, positional, parts)
            _do(name, model, run, show, about, words, positional, is_root)
        except (Exception, KeyboardInterrupt) as error:
            if is_interrupt(error):
                sys.exit(INTERRUPTED)
            message = error if isinstance(error, UserError) else shortage(error)
            if message is None:
                raise
            if is_root:
                complain(message)
            sys.exit(2)


def _speaks(launch: Launch) -> bool:
    """Whether this process reports errors: rank 0, or one that may be alone."""
    return launch.rank == 0 or not launch.is_sure


def _do(
    name: str,
    model: type[Model],
    run: Callable[[Model], object],
    show: Callable[[Model], object] | None,
    about: Callable[[], str],
    words: Sequence[str],
    positional: Sequence[str],
    is_root: bool,
) -> None:
    if {"-h", "--help"} & set(words):
        if is_root:
            print(about())
    elif "--version" in words:
        if is_root:
            print(f"{name} {code_version()}\n{surroundings()}")
    elif words[:1] == ["show"] and show is not None:
        config = _configure(name, model, words[1:], positional)
        if is_root:
            show(config)
    else:
        run(_configure(name, model, words, positional))


@contextmanager
def plain_streams() -> Iterator[None]:
    """A context without tracebacks for characters that the terminal's encoding lacks, or where the pipe is closed."""
    _open_missing()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace" if stream is sys.stderr else "replace")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer goes nowhere, or Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLOSED)


def _open_missing() -> None:
    """Open what a program was started without (`>&-`): a file of its own would get that number, and what C libraries
    print would stand in it."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the least number that is free is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def surroundings() -> str:
    """The libraries in use, a line each; found by a process of its own, since a broken library may end it."""
    folder = str(Path(runkit.__file__).parents[1])
    environment = alone(os.environ) | {"PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "runkit.about"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        return f"  what it stands on cannot be found: {error}"
    died = f"\n  a library ended the process that loaded it (code {done.returncode})" if done.returncode else ""
    return done.stdout.rstrip("\n") + died


class OptionParser(argparse.ArgumentParser):
    """For tools with options instead of keys: a mistake is one line here too."""

    def error(self, message: str) -> NoReturn:
        """End the program with code 2."""
        complain(f"{message}; see {self.prog} --help")
        sys.exit(2)


def _configure(name: str, model: type[Model], words: Sequence[str], positional: Sequence[str]) -> Model:
    options = [word for word in words if word.startswith("-")]
    if options:
        raise UserError(f"unknown option {options[0]!r}; settings are section.key=value, see --help")
    files = [word for word in words if not _SETTING.match(word)]
    settings = [word for word in words if _SETTING.match(word)]
    if positional:
        return load(model, None, [_assign(model, files, positional), *settings])
    if len(files) > 1:
        raise UserError(f"one configuration file at most; given: {', '.join(files)}")
    if files and not is_file(files[0]):
        raise UserError(f"there is no configuration file {files[0]!r}; settings are section.key=value, see --help")
    if files and (program := owner(read_toml(files[0]))) not in ("", name):
        raise UserError(f"{files[0]} is a configuration of another program: {program} {files[0]}")
    return load(model, files[0] if files else None, settings)


def _assign(model: type[Config], words: Sequence[str], positional: Sequence[str]) -> dict[str, Any]:
    """Positional key -> its word, or all remaining words."""
    *_, last = positional
    if len(words) > len(positional) and not is_list(model.model_fields[last].annotation):
        raise UserError(f"{words[len(positional)]!r} is one word too many; settings are section.key=value, see --help")
    values: dict[str, Any] = dict(zip(positional, words, strict=False))
    if last in values and is_list(model.model_fields[last].annotation):
        values[last] = list(words[len(positional) - 1 :])
    return values
