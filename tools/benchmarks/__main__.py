"""`python -m tools.benchmarks SUBJECT`: speed beside that of a peer on the same cores in the same run."""

from __future__ import annotations

import argparse
import sys

from runkit.errors import UserError
from tools.benchmarks import botan, flow, lbm, md

SUBJECTS = {"md": md, "lbm": lbm, "botan": botan, "flow": flow}


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    subjects = parser.add_subparsers(dest="subject", required=True)
    for name, subject in SUBJECTS.items():
        title = subject.__doc__.split("\n")[0]
        subject.add_arguments(subjects.add_parser(name, description=subject.__doc__, help=title))
    chosen = parser.parse_args()
    try:
        SUBJECTS[chosen.subject].run(chosen)
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
