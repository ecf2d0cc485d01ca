"""Speed beside that of a peer on the same machine in the same run; `tools/bench SUBJECT --help` lists its options."""

from __future__ import annotations

import argparse
import ast
import sys
from importlib import import_module
from pathlib import Path

from runkit.cli import OptionParser, plain_streams
from runkit.errors import in_one_line


def titles() -> dict[str, str]:
    """Subject -> first line of its docstring, for which nothing is imported: each is a file in subjects/."""
    files = sorted(Path(__file__).with_name("subjects").glob("*.py"))
    return {path.stem: (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0] for path in files}


@in_one_line()
def main() -> int:
    subjects, written = titles(), argparse.RawDescriptionHelpFormatter
    listed = "subjects:\n" + "\n".join(f"  {name:<6} {title}" for name, title in subjects.items())
    parser = OptionParser("tools/bench", description=__doc__, epilog=listed, formatter_class=written)
    parser.add_argument("subject", choices=subjects, metavar="SUBJECT")
    parser.add_argument("options", nargs=argparse.REMAINDER, metavar="...", help="options of the subject")
    given = parser.parse_args()
    subject = import_module(f"tools.benchmarks.subjects.{given.subject}")
    parser = OptionParser(f"tools/bench {given.subject}", description=subject.__doc__, formatter_class=written)
    subject.add_arguments(parser)
    subject.run(parser.parse_args(given.options))
    return 0


if __name__ == "__main__":
    with plain_streams():
        sys.exit(main())
