"""Cross-validation of the linear model of descriptors: leave some samples out, solve on the rest, score them.

    python -m tools.validate_linear FILE --reversed 8 --time 0
    python -m tools.validate_linear FILE --cages 8 --cage-time 40

Folds test on other samples each (`data.split.fold` of a recipe); one more sample chooses the penalties. The sums that
determine a solution are made once for each sample and added up for each fold, so all folds cost little more than one.
Correlations are those within a configuration, averaged over all that were left out, with the standard error over them,
and pooled over the configurations of a fold, averaged over folds.

Units: Lennard-Jones.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import reduce

import numpy as np

from dtrain.data.glass import Glass, GlassOptions
from dtrain.data.split import Split
from dtrain.glass.scores import Estimate, Score, score
from dtrain.least_squares import Sums, add, choose, include
from dtrain.models.linear import Linear
from runkit.cli import OptionParser
from runkit.config import load
from runkit.dataset.contracts.isoconfig import CLOSE_PAIR
from runkit.errors import in_one_line
from runkit.mpi import SerialWorld

KINDS = ("particles (A)", f"bonds (AA, r < {CLOSE_PAIR})")


def sums_by_sample(network: Linear, data: Glass) -> dict[int, dict[str, Sums]]:
    """The sums of each sample and of its reversed replicas."""
    n_samples = data.dataset.sizes["sample"]
    found: dict[int, dict[str, Sums]] = {}
    for number in data.split["train"]:
        include(found.setdefault(number % n_samples, {}), network, data, number)
    return found


def scores_of_fold(network: Linear, data: Glass, samples: Sequence[int]) -> list[Score]:
    """Agreement of the network with the simulation over some samples: of particles, and of bonds."""
    pairs: list[list[tuple[np.ndarray, np.ndarray]]] = [[], []]
    for sample in samples:
        batch = data.batch([sample])
        answers = network(*data.inputs(batch))
        for found, answer, target, mask in zip(pairs, answers, batch.targets, batch.masks, strict=True):
            found.append((answer[mask].detach().numpy(), target[mask].numpy()))
    return [score([one for one, _ in found], [other for _, other in found]) for found in pairs]


def validate(file: str, i_time: int, n_reversed: int, cage: dict[str, float | None], n_test: int) -> None:
    """Print the table; raises UserError for a file that cannot be learnt from."""
    keys = {"positions": "both", "descriptors": True, "reversed": n_reversed, "cage": cage}
    whole = Split(train=1, validation=0, test=0)
    data = Glass(load(GlassOptions, None, [{"file": file, "time": i_time, "split": whole.model_dump(), **keys}]))
    world, network, samples = SerialWorld(), Linear(**data.sizes), data.parts["train"]
    data.prepare(world)
    began = time.process_time()
    sums = sums_by_sample(network, data)
    folds = []
    for fold in range(len(samples) // n_test):
        split = Split(train=len(samples) - n_test - 1, validation=1, test=n_test, fold=fold).draw(samples)
        choose(world, network, data, reduce(add, (sums[sample] for sample in split["train"])), split["validation"])
        folds.append(scores_of_fold(network, data, split["test"]))
    print(f"{len(folds)} folds, {n_test} samples left out of each, {n_reversed} reversed replicas per sample")
    if cage["replicas"]:
        print(f"cages from {cage['replicas']} trajectories of each configuration to t = {cage['time']:g}")
    for kind, scores in zip(KINDS, zip(*folds, strict=True), strict=True):
        each, pooled = [value for one in scores for value in one.each], [one.pooled.value for one in scores]
        mean = Estimate.mean(each)
        print(f"{kind:22} mean {mean.value:.3f} +- {mean.error:.3f}   pooled {np.mean(pooled):.3f}")
    print(f"{time.process_time() - began:.0f} CPU-s")


@in_one_line()
def main() -> int:
    parser = OptionParser(
        "python -m tools.validate_linear", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", help="ISOCONFIG file")
    parser.add_argument("--time", type=int, default=0, help="index of the time")
    parser.add_argument("--reversed", type=int, default=0, help="reversed replicas of each training sample")
    parser.add_argument("--cages", type=int, default=0, help="trajectories of each configuration for its cages")
    parser.add_argument("--cage-time", type=float, help="their length")
    parser.add_argument("--leave", type=int, default=2, help="samples that each fold leaves out")
    options = parser.parse_args()
    cage = {"replicas": options.cages, "time": options.cage_time}
    validate(options.file, options.time, options.reversed, cage, options.leave)
    return 0


if __name__ == "__main__":
    sys.exit(main())
