"""Our trajectories beside the published ensemble of the same configuration: do the same particles move as far?

    python -m mdgen initial.file=PUBLISHED.npz system.temperature=0.44 production.n_replicas=8 \\
        production.times=[412,1300,4120] output=ours.h5
    python -m tools.validate_propensity PUBLISHED.npz ours.h5 …

Replicas of several files (runs with other seeds) are taken together. The published file holds one time, `--time`, which
ours must have. Labels of few replicas are noisy: two estimates of reliability a and b of the same truth correlate like
sqrt(a b). That of the published ensemble comes from its split halves, that of ours follows from it for our number of
replicas (Spearman-Brown); so the expected correlation is known before ours is looked at.

Units: Lennard-Jones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mdgen.formats import read
from mdgen.initial import Configuration
from mdgen.observables import bond_change, displacement, neighbour_pairs, reliability
from runkit.cli import OptionParser
from runkit.dataset.contracts.isoconfig import CLOSE_PAIR
from runkit.dataset.reader import Dataset
from runkit.errors import UserError, complain
from tools.report import Report

A, NEAREST = 0, CLOSE_PAIR  # species and bonds over which the published work scores


def positions(paths: list[Path], time: float) -> np.ndarray:
    """Unwrapped positions [n_replicas, n_particles, 3] of the first sample at `time`, of all files."""
    found = []
    for path in paths:
        with Dataset(path) as file:
            (at,) = np.nonzero(np.isclose(file["time"][...], time))
            if not len(at):
                raise UserError(f"{path}: no positions at t = {time:g}; it has {file['time'][...].tolist()}")
            found.append(file["position"][0, at[0]])
    return np.concatenate(found).astype(np.float64)


class Agreement(NamedTuple):
    """Two ensembles of the same configuration: correlation over items of means over replicas, expected and measured;
    the means over all items, and the standard error of their difference."""

    expected: float
    measured: float
    theirs: float
    ours: float
    error: float


def agreement(ours: np.ndarray, theirs: np.ndarray) -> Agreement:
    """Of [n_replicas, n_items] each; what is expected follows from the split halves of `theirs`."""
    n, m = len(theirs), len(ours)
    known = reliability(theirs)
    alone = known / (known + n * (1 - known))
    expected = np.sqrt(known * m * alone / (1 + (m - 1) * alone))
    measured = np.corrcoef(ours.mean(axis=0), theirs.mean(axis=0))[0, 1]
    means = [each.mean(axis=1) for each in (ours, theirs)]
    error = np.hypot(*(mean.std(ddof=1) / np.sqrt(len(mean)) for mean in means))
    return Agreement(*map(float, (expected, measured, means[1].mean(), means[0].mean(), error)))


def compare(name: str, ours: np.ndarray, theirs: np.ndarray, report: Report) -> None:
    """Print how two ensembles agree."""
    found = agreement(ours, theirs)
    report.row(f"{name}: correlation of {len(ours)} replicas with {len(theirs)}, expected", found.expected)
    report.row(f"{name}: measured", found.measured)
    report.row(f"{name}: difference", abs(found.measured - found.expected), 0.05)
    report.row(f"{name}: mean, published", found.theirs)
    report.row(f"{name}: mean, ours", found.ours)
    report.row(f"{name}: difference / standard error", abs(found.theirs - found.ours) / found.error, 3)


def labels(start: Configuration, *ensembles: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Propensity of A particles and bond change of AA pairs, [n_replicas, n_items] of each ensemble of positions."""
    is_a = start.species == A
    bond = neighbour_pairs(start.position, start.box, NEAREST)
    bond = bond[is_a[bond].all(axis=1)]
    return {
        "propensity of A": [displacement(each, start.position)[:, is_a] for each in ensembles],
        "bond change of AA": [bond_change(each, start, bond) for each in ensembles],
    }


def main() -> int:
    parser = OptionParser(
        "python -m tools.validate_propensity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("published", type=Path, help="an .npz with `positions` [replica, particle, 3]")
    parser.add_argument("ours", type=Path, nargs="+", help="finished runs from its configuration")
    parser.add_argument("--time", type=float, default=4120.0, help="at which the published positions are")
    options = parser.parse_args()
    report = Report()
    try:
        start = read(options.published)[0]
        with np.load(options.published, allow_pickle=False) as file:
            theirs = file["positions"]
        ours = positions(options.ours, options.time)
    except (UserError, OSError, KeyError) as error:
        complain(error)
        return 2
    for name, (mine, published) in labels(start, ours, theirs).items():
        compare(name, mine, published, report)
    return report.verdict()


if __name__ == "__main__":
    sys.exit(main())
