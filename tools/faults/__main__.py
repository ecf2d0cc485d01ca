"""A campaign of faults against mdgen, lbmgen and dtrain: what a run survives, and what not.

    python -m tools.faults                        a campaign of about 565 faults, and its table
    python -m tools.faults --number 17 --keep     fault 17 of it alone; its folder stays
    python -m tools.faults --record R.jsonl       note each as it was tried; given again, go on where the record ends
    python -m tools.faults --list                 the kinds

What a number does follows from it and from the seed alone; moments of kills are fractions of how long an undisturbed
run takes here. Needs Linux, the rights of root (small file systems) and a C compiler. Exit code: 0 if all were
survived, 1 if not.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from runkit.cli import OptionParser
from tools.faults import kinds
from tools.faults.table import Row, add, recorded, table
from tools.faults.targets import Target, targets
from tools.faults.trial import KINDS, Bad, Kind, Trial


def main(words: list[str] | None = None) -> int:
    """Run a campaign, or one fault of it; returns the exit code."""
    options = _parser().parse_args(words)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background shells have programs ignore it
    for module in sorted(module.name for module in iter_modules(kinds.__path__)):
        import_module(f"{kinds.__name__}.{module}")
    planned = plan(options.count, options.seed)
    if options.list:
        print("\n".join(f"{kind.name}: {', '.join(kind.programs)}" for kind in KINDS))
        return 0
    rows = [] if options.number else recorded(options.record)
    numbers: list[int] = options.number or sorted(
        set(range(options.first, len(planned))) - {row.number for row in rows}
    )
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=options.folder))
    try:
        tried = _ready(folder, {planned[number][1] for number in numbers})
        for number in numbers:
            rows.append(_try(number, *planned[number], tried, folder, options))
            print(rows[-1], flush=True)
            add(rows[-1], options.record)
        print("\n" + table(rows))
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if all(row.verdict == "survived" for row in rows) else 1


def plan(count: int | None, seed: int) -> list[tuple[Kind, str]]:
    """The first `count` faults of a campaign, well mixed: kinds by their shares, of each program alike."""
    shares = [(kind, program) for kind in KINDS for program in kind.programs for _ in range(kind.share)]
    order = random.Random(seed)
    planned: list[tuple[Kind, str]] = []
    while len(planned) < (count or len(shares)):
        order.shuffle(shares)
        planned += shares
    return planned[: count or len(shares)]


def _parser() -> argparse.ArgumentParser:
    written = argparse.RawDescriptionHelpFormatter
    parser = OptionParser("python -m tools.faults", description=__doc__, formatter_class=written)
    parser.add_argument("--count", type=int, help="faults of the campaign (default: each kind as often as its share)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, nargs="+", help="these faults alone")
    parser.add_argument("--record", type=Path, help="a file of those that were tried, which grows by each")
    parser.add_argument("--first", type=int, default=0, help="begin with this number")
    parser.add_argument("--keep", action="store_true", help="leave folders where they are")
    parser.add_argument("--folder", type=Path, help="where to work (default: the folder of temporary files)")
    parser.add_argument("--list", action="store_true", help="name the kinds")
    return parser


def _ready(folder: Path, programs: set[str]) -> dict[str, Target]:
    """Undisturbed runs of the programs that will be tried, the generators first: they make the data of trainings."""
    made = targets()
    needed = set(programs)
    needed |= {"lbmgen"} if programs & {"dtrain", "dtrain-ranks"} else set()
    needed |= {"mdgen"} if "dtrain-glass" in programs else set()
    made["dtrain"].data = made["dtrain-ranks"].data = folder / "lbmgen/1/a.h5"
    made["dtrain-glass"].data = folder / "mdgen/1/a.h5"
    for name in (name for name in made if name in needed):
        for ranks in (1, 2) if name in ("mdgen", "lbmgen") else (made[name].ranks,):
            end = made[name].measure(folder / name / str(ranks), ranks)
            if end.code:
                raise SystemExit(f"{name} does not work undisturbed: {end.err}")
        seconds = ", ".join(f"{value:.1f} s on {ranks}" for ranks, value in made[name].seconds.items())
        print(f"{name}: undisturbed {seconds} rank(s)", flush=True)
    return made


def _try(
    number: int, kind: Kind, program: str, made: dict[str, Target], folder: Path, options: argparse.Namespace
) -> Row:
    target, own = made[program], folder / f"{number:04d}"
    target.prepare(own)
    trial = Trial(number, target, own, random.Random(f"{options.seed} {number}"), [])
    begun = time.monotonic()
    verdict, why = "survived", ""
    try:
        kind.apply(trial)
    except Bad as bad:
        verdict, why = bad.verdict, bad.why
    except (OSError, KeyError, ValueError, AssertionError) as error:
        verdict, why = "unclear", f"the trial itself: {type(error).__name__}: {error}"
    if not options.keep:
        shutil.rmtree(own, ignore_errors=True)
    return Row(number, program, kind.name, verdict, why, tuple(trial.notes), time.monotonic() - begun)


if __name__ == "__main__":
    sys.exit(main())
