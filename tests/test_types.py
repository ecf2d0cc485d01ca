"""The type checker knows what a part must give: one that lacks it is refused where it is registered."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conftest import ROOT

PARTS = """
from dataclasses import dataclass
from typing import ClassVar

from lbmgen.boundaries import boundary
from lbmgen.boundaries.wall import NoSlip
from lbmgen.collisions import collision
from lbmgen.collisions.bgk import BGK
from mdgen.potentials import potential
from mdgen.potentials.pair import Pair, PairLaw, PairPotential
from mdgen.thermostats import thermostat
from mdgen.thermostats.bussi import Bussi
from runkit.arrays import F64
from runkit.formula import Value
from runkit.mpi import SerialWorld, World

@collision("whole")
class Law(BGK): ...
@thermostat("whole")
class Coupling(Bussi): ...
@boundary("whole")
class Wall(NoSlip): ...
group: World = SerialWorld()

@collision("without a way to collide")  # refused
class Idle:
    least_tau = least_tau_sliding = least_tau_reflecting = 0.5
    def rates(self, tau: float) -> tuple[float, ...]: return (tau,)
@thermostat("without a state")  # refused
class Cold:
    least_steps: ClassVar[int] = 0
class Weightless(PairLaw):
    def columns(self, cutoff: F64) -> dict[str, F64]: return {}
    def energy(self, square: Value, pair: Pair) -> Value: return 1.0 - square
PairPotential.of(Weightless(), 1.0)  # refused
@potential("a number")  # refused
def number(cutoff: float = 2.5) -> float: return cutoff
@boundary("a kind that is no word")  # refused
@dataclass(frozen=True)
class Hole:
    kind, priority = 3, 1
class Deaf(World):
    def barrier(self) -> None: ...
deaf = Deaf()  # refused
words: list[str] = group.all_gather(1)  # refused
"""


def test_a_part_that_lacks_what_its_kind_must_give_is_refused_where_it_is_registered(tmp_path):
    (tmp_path / "parts.py").write_text(PARTS)
    options = ["--config-file", ROOT / "setup.cfg", "--cache-dir", ROOT / ".mypy_cache", "--no-color-output"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, tmp_path / "parts.py"], cwd=ROOT, capture_output=True, text=True
    )
    found = {int(line) for line in re.findall(r"parts\.py:(\d+): error", done.stdout)}
    marked = {number for number, line in enumerate(PARTS.splitlines(), start=1) if line.endswith("# refused")}
    assert found == marked, done.stdout + done.stderr
