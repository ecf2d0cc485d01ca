"""`python -m lbmgen`, with a stand-in for a GPU on every rank: run by test_lbmgen.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from lbmgen import __main__, run
from tests.shim import StandIn

run.choose = lambda world, wanted: StandIn()

if __name__ == "__main__":
    __main__.main()
