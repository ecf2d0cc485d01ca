"""`python -m tests.shim mdgen|lbmgen …`: a generator whose GPU, on every rank, is the stand-in."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from tests.shim import StandIn


def main() -> None:
    """Run the program that the first argument names; the others are its own."""
    program = sys.argv.pop(1)
    run: Any = import_module(f"{program}.run")
    run.choose = lambda world, wanted: StandIn()
    import_module(f"{program}.__main__").main()


if __name__ == "__main__":
    main()
