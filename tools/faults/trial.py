"""One fault: what is done to a run, and how the run is judged.

A trial is *survived* if the program ended as it should at every step (with success, with one line and code 2, or by the
signal that it was sent), and the same command, given again, led to the undisturbed result, byte for byte.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tools.faults.launched import End, Hung, Launched
from tools.faults.targets import LIMIT, Target

VERDICTS = ("survived", "lost", "wrong", "hung", "unclear")
TRIES = 4
STOPPED = {signal.SIGTERM: {-15, 75, 143}, signal.SIGINT: {-2, 75, 130}, signal.SIGUSR1: {75}, signal.SIGUSR2: {75}}
STOPPED |= {signal.SIGXCPU: {75}, signal.SIGKILL: {-9, 9, 137}, signal.SIGPIPE: {141}}


class Bad(Exception):
    """A trial that has not been survived: its verdict, and why."""

    def __init__(self, verdict: str, why: str) -> None:
        super().__init__(f"{verdict}: {why}")
        self.verdict, self.why = verdict, why


class Kind(NamedTuple):
    """A kind of fault: `apply(trial)` does it; it is tried `share` times in a campaign, for each of its programs."""

    name: str
    programs: tuple[str, ...]
    share: int
    apply: Callable[[Trial], None]


KINDS: list[Kind] = []
GENERATORS = ("mdgen", "lbmgen")
TRAININGS = ("dtrain",)


def fault(name: str, share: int, programs: Iterable[str] = GENERATORS) -> Callable[[Callable[[Trial], None]], Any]:
    """Register a kind of fault."""

    def register(apply: Callable[[Trial], None]) -> Callable[[Trial], None]:
        KINDS.append(Kind(name, tuple(programs), share, apply))
        return apply

    return register


@dataclass
class Trial:
    """A fault with its number, folder and random numbers; `notes` record what was done."""

    number: int
    target: Target
    folder: Path
    random: random.Random
    notes: list[str]

    def note(self, what: str) -> None:
        """Say what was done, for who looks at the trial alone."""
        self.notes.append(what)

    def start(self, *words: str, **how: Any) -> Launched:
        """Start the program."""
        return self.target.run(self.folder, *words, **how)

    def moment(self, ranks: int | None = None, low: float = 0.0, high: float = 1.0) -> float:
        """A random time within an undisturbed run [s]."""
        part = self.random.uniform(low, high)
        self.note(f"after {part:.3f} of a run")
        return part * self.target.seconds[ranks or self.target.ranks]

    def end(self, run: Launched, signalled: Iterable[int] = (), several: bool = False) -> End:
        """Wait for the end, which has to be in order. `signalled` is what it may end by; `several` ranks may report."""
        try:
            end = run.wait(LIMIT)
        except Hung:
            raise Bad("hung", f"no end within {LIMIT:g} s") from None
        allowed = set().union(*(STOPPED[signal.Signals(number)] for number in signalled))
        if signalled and several:
            allowed |= {1, 9, 15, 130, 137, 139, 143, *map(int, signalled)}  # of the launcher: also the signal's number
        is_over = (self.folder / self.target.output).exists() or not self.unfinished().exists()
        if signalled and is_over:  # nothing to lose: a program may end as the system has it end
            allowed |= {-number for number in signalled}
        return self.in_order(end, allowed, several)

    def in_order(self, end: End, allowed: Iterable[int] = (), several: bool = False) -> End:
        """Raise Bad for an end with a traceback, without a word, or with too many."""
        if "Traceback" in end.err + end.out:
            message = end.err if "Traceback" in end.err else end.out
            raise Bad("unclear", f"a traceback: {message[message.index('Traceback') :][-800:]}")
        if end.code == 0 or end.code in allowed:
            return end
        lines = re.findall(r"^error: .*$", end.err, re.M)
        if end.code != 2 or not lines or (len(lines) > 1 and not several):
            raise Bad("unclear", f"code {end.code}, {len(lines)} error line(s): {end.err[-300:]!r}")
        self.note(lines[0][:200])
        return end

    def begun(self) -> None:
        """A run that was killed at some moment after its file was laid down."""
        run = self.start()
        while not self.unfinished().exists() and run.during(0.01):
            pass
        run.during(self.moment(high=0.95) * 0.8)
        run.send(signal.SIGKILL)
        self.end(run, [signal.SIGKILL])

    def unfinished(self) -> Path:
        """What a run leaves when it is killed."""
        is_training = self.target.name.startswith("dtrain")
        return self.folder / ("run/recipe.toml" if is_training else "a.h5.part")

    def refused(self, run: Launched) -> End:
        """A run that must end with one line and code 2."""
        end = self.end(run)
        if end.code != 2:
            raise Bad("wrong", f"code {end.code} where a refusal is due")
        return end

    def complete(self) -> None:
        """Give the same command again until the result is there, and compare it."""
        for _ in range(TRIES):
            end = self.end(self.start())
            if end.code == 0:
                break
            if end.code == 2:
                self.follow(end)
        else:
            raise Bad("lost", f"no result after {TRIES} runs: {self.notes[-1]}")
        self.compare()

    def follow(self, end: End) -> None:
        """Follow the advice of a refusal: remove what it names."""
        if not re.search(r"delete|move|another output|damaged|cannot be read|checkpoint|cannot be used", end.err):
            raise Bad("lost", f"refused, and it does not say what to do: {self.notes[-1]}")
        self.note("what was named was deleted")
        if "delete this file" in end.err:
            named = re.findall(r"^error: (\S+) is damaged", end.err, re.M)
            (self.folder / named[0]).unlink()
            return
        for path in self.folder.iterdir():
            if path.name.startswith("a.h5") or path.name == "run":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def compare(self, folder: Path | None = None, but: Iterable[str] = ()) -> None:
        """Hold the result against that of the undisturbed run; `but` may differ, where the output has another name."""
        folder = folder or self.folder
        found, wanted = self.target.result(folder), self.target.reference
        if found is None:
            raise Bad("lost", "the program ended well, but there is no result")
        names = (found.keys() | wanted.keys()) - set(but)
        if differ := sorted(name for name in names if found.get(name) != wanted.get(name)):
            raise Bad("wrong", f"other bytes in {', '.join(differ)[:200]}")
        left = [path.name for path in folder.iterdir() if re.match(r"a\.h5\.", path.name)]
        if left:
            raise Bad("unclear", f"left behind: {', '.join(left)}")
