"""The cost of a data set on 1 to 1024 processors by a model, and the error of the model.

    python -m tools.scaling predict [CASE.toml …] [--machine h100] [--set rate=8e8]      the model
    python -m tools.scaling units                                                        units, measured here
    python -m tools.scaling training RECIPE [KEY=VALUE …]                a training step, measured here
    python -m tools.scaling training RECIPE [KEY=VALUE …] --ranks 1 2    whole trainings beside the model
    python -m tools.scaling runs [mdgen] [lbmgen] [--ranks 1 2 4 64]     whole runs of generators beside the model

Without cases `predict` takes the published set, the four temperatures in `jobs/cases`. `docs/scaling.md` keeps figures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runkit.cli import OptionParser
from runkit.dataset.card import table
from runkit.dataset.layout import in_units
from runkit.errors import UserError, in_one_line
from runkit.progress import duration
from tools.scaling.machine import MACHINES
from tools.scaling.measure import CASES, runs, units
from tools.scaling.model import Work, forecast, total, where_it_goes

COUNTS = (1, 4, 16, 64, 128, 256, 512, 1024)
PUBLISHED = sorted((Path(__file__).parents[2] / "jobs" / "cases").glob("kob_andersen_*.toml"))
STAGES = ("equilibrate", "propagate", "label")
WORTH = 0.5  # the efficiency below which more workers are not worth it


@in_one_line(OSError)
def main(words: list[str] | None = None) -> int:
    given = _parser().parse_args(words)
    given.call(given)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OptionParser(
        "python -m tools.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ask = commands.add_parser("predict", help="time, sizes and bandwidth on 1 to 1024 workers")
    ask.add_argument("cases", nargs="*", type=Path, metavar="CASE.toml")
    ask.add_argument("--machine", choices=list(MACHINES), default="h100")
    ask.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another number of the machine")
    ask.add_argument("--workers", nargs="+", type=int, default=list(COUNTS), metavar="N")
    ask.set_defaults(call=_predict)
    ask = commands.add_parser("units", help="what a piece of work costs here")
    ask.set_defaults(call=lambda given: _figures(units()))
    ask = commands.add_parser("training", help="what a training step costs here")
    ask.add_argument("recipe")
    ask.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    ask.add_argument("--ranks", nargs="+", type=int, default=[], metavar="N", help="train on so many processes")
    ask.set_defaults(call=_training)
    ask = commands.add_parser("runs", help="whole runs of generators beside the model")
    ask.add_argument("programs", nargs="*", metavar="PROGRAM", help="mdgen or lbmgen; both unless told")
    ask.add_argument("--ranks", nargs="+", type=int, default=[1, 2, 4, 64], metavar="N")
    ask.set_defaults(call=_runs)
    return parser


def _predict(given: argparse.Namespace) -> None:
    machine = MACHINES[given.machine].changed(given.set)
    if bad := [n for n in given.workers if n < 1]:
        raise UserError(f"--workers {bad[0]}: allowed: 1 or more")
    work = [Work.of(path) for path in given.cases or PUBLISHED]
    print(f"{given.machine}: {machine.sources}\n")
    head = ["case", "samples", "replicas", "steps to a sample", "steps of a replica", "atom-steps", "file"]
    print("\n".join(table([head, *map(_row, work)])) + "\n")
    one = [forecast(each, machine, 1) for each in work]
    rows, stops = [], None
    for n in sorted(given.workers):
        found = [forecast(each, machine, n) for each in work]
        efficiency = total(one) / n / total(found)
        if efficiency < WORTH and stops is None:
            stops = n, where_it_goes(found, one)
        rows.append([
            str(n), duration(total(found)), f"{100 * efficiency:.0f} %",
            *(duration(sum(getattr(each, stage) for each in found)) for stage in STAGES),
            str(found[0].together),
            in_units(max(each.bandwidth for each in found)) + "/s",
            f"{max(each.checkpoints for each in found):.2g}",
        ])  # fmt: skip
    head = [f"{machine.worker}s", "time", "efficiency", "equilibrate", "propagate", "label", "replicas of one",
            "into the file", "checkpoints/s"]  # fmt: skip
    print("\n".join(table([head, *rows])))
    if stops:
        n, lost = stops
        worst = max(lost, key=lambda stage: lost[stage])
        print(f"\nfrom {n} on less than {100 * WORTH:.0f} % is used; most is lost to {worst}: {duration(lost[worst])}")


def _row(work: Work) -> list[str]:
    steps = work.cooling_steps + work.n_replicas * work.production_steps
    return [
        work.name, str(work.n_samples), str(work.n_samples * work.n_replicas), f"{work.cooling_steps:.3g}",
        f"{work.production_steps:.3g}", f"{work.n_samples * work.n_particles * steps:.3g}", in_units(work.file_bytes),
    ]  # fmt: skip


def _figures(found) -> None:
    for name, value, unit in found:
        print(f"{name:<44} {value:10.4g} {unit}", flush=True)


def _training(given: argparse.Namespace) -> None:
    from tools.scaling.steps import training, trainings  # torch takes seconds to import

    if not given.ranks:
        _figures(training(given.recipe, given.settings))
        return
    for n, pace, seconds in trainings(given.recipe, given.settings, given.ranks):
        spent, model = pace["processor_ms"], 1e3 * seconds
        print(
            f"{n} process(es): {spent:.4g} ms of the processor of each in a step, model {model:.4g} ms, ratio "
            f"{spent / model:.2f}; {pace['step_ms']:.4g} ms of wall time, {pace['samples_per_s']:.4g} samples/s",
            flush=True,
        )


def _runs(given: argparse.Namespace) -> None:
    if unknown := [name for name in given.programs if name not in CASES]:
        raise UserError(f"PROGRAM {unknown[0]!r}: allowed: {', '.join(CASES)}")
    for program in given.programs or CASES:
        for n, spent, model, taken, message in runs(program, given.ranks):
            against = f"model {model:.1f} s, ratio {spent / model:.2f}"
            print(f"{program}, {n} rank(s): {spent:.1f} s of processors, {against}; {taken:.1f} s of wall time")
            print("\n".join(f"    {line}" for line in message), flush=True)


if __name__ == "__main__":
    sys.exit(main())
