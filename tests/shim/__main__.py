"""`python -m tests.shim mdgen|lbmgen …`: a generator whose GPU is the stand-in."""

from __future__ import annotations

import sys
from importlib import import_module, reload

from runkit import device
from tests.shim import StandIn


def main() -> None:
    """Run the program that the first argument names; the others are its own."""
    program = sys.argv.pop(1)
    device.choose = lambda world, wanted: StandIn()
    reload(import_module(f"{program}.run"))
    import_module(f"{program}.__main__").main()


if __name__ == "__main__":
    main()
