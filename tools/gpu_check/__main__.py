"""Find out whether a GPU machine is right and how fast it is: card, driver, MPI, both generators, both networks.

    python -m tools.gpu_check run A --seconds 430        kernels, rates, tests: what decides most comes first
    python -m tools.gpu_check run B --seconds 290        physics to tau_alpha, training, drift, peers
    python -m tools.gpu_check run probe md_rates         chosen steps
    python -m tools.gpu_check report gpu_check/results.jsonl
    python -m tools.gpu_check prepare FOLDER             for a machine without network
    bash FOLDER/start run A                              there

Each step is a process group with its own limit of time, so one that hangs or crashes costs no more than that. Results
are lines of JSON that begin with card, driver, versions, commit, date and command; `report` makes Markdown of them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runkit.cli import OptionParser
from runkit.errors import UserError, in_one_line
from tools.gpu_check.step import Bench, chosen, module_of, names


@in_one_line(OSError)
def main(words: list[str] | None = None) -> int:
    given = _parser().parse_args(words)
    return int(given.call(given) or 0)


def _parser() -> argparse.ArgumentParser:
    written = argparse.RawDescriptionHelpFormatter
    listed = "steps:\n" + "\n".join(f"  {name:<14} {title}" for name, title in names().items())
    parser = OptionParser("python -m tools.gpu_check", description=__doc__, epilog=listed, formatter_class=written)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run parts A, B or single steps", epilog=listed, formatter_class=written)
    run.add_argument("steps", nargs="+", metavar="A|B|STEP")
    run.add_argument("--seconds", type=float, default=430.0, help="that all steps may take together")
    step = commands.add_parser("step", help="one step in this process, without limit")
    step.add_argument("steps", nargs=1, metavar="STEP")
    step.add_argument("--seconds", type=float, default=60.0, help="by which the step divides its time")
    for each, call in ((run, _run), (step, _step)):
        each.add_argument(
            "--data", type=Path, default=Path("gpu_check"), help="folder with isoconfig*.npz in or below it"
        )
        each.add_argument("--out", type=Path, default=Path("gpu_check"), help="folder of results.jsonl and log.txt")
        each.add_argument("--tiny", action="store_true", help="behind a stand-in for a GPU: shows that the steps work")
        each.set_defaults(call=call)

    prepare = commands.add_parser("prepare", help="gather wheels and data for a machine without network")
    prepare.add_argument("folder", type=Path)
    prepare.add_argument("--configurations", nargs="*", type=Path, default=[], metavar="FILE", help="isoconfig*.npz")
    prepare.add_argument("--python", default="3.12", help="version of Python there, on x86-64")
    prepare.set_defaults(call=_prepare)

    report = commands.add_parser("report", help="tables of results, as Markdown")
    report.add_argument("results", nargs="+", type=Path, help="results.jsonl")
    report.set_defaults(call=_report)
    return parser


def _run(given: argparse.Namespace) -> int:
    from tools.gpu_check.runner import Plan, run

    if not given.seconds > 0:
        raise UserError(f"--seconds {given.seconds:g}: must be above 0")
    chosen(given.steps)  # a mistake is reported before anything is written
    given.out.mkdir(parents=True, exist_ok=True)
    return run(Plan(given.steps, given.seconds, given.data, given.out, given.tiny))


def _step(given: argparse.Namespace) -> None:
    (name,) = given.steps
    module_of(name).run(Bench(name, given.data, given.out, given.seconds, given.tiny))


def _prepare(given: argparse.Namespace) -> None:
    from tools.gpu_check.prepare import prepare

    prepare(given.folder, given.configurations, given.python)


def _report(given: argparse.Namespace) -> None:
    from tools.gpu_check.report import report

    print(report(given.results))


if __name__ == "__main__":
    sys.exit(main())
