"""How much of the labels of a glass former is noise? From a file of mdgen: reliability against the number of replicas.

python -m mdgen examples/cases/lennard_jones.toml
python examples/ceilings.py data/lennard_jones.h5 ceilings.png
"""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from runkit.dataset.reader import Dataset

path, picture = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "ceilings.png"
rng = np.random.default_rng(0)


def halves(moved: np.ndarray, n_replicas: int) -> float:
    """Mean correlation of two means over `n_replicas` other replicas each; `moved` is [replica, particle]."""
    found = []
    for _ in range(20):
        first, second = np.split(rng.permutation(len(moved))[: 2 * n_replicas], 2)
        found.append(np.corrcoef(moved[first].mean(axis=0), moved[second].mean(axis=0))[0, 1])
    return float(np.mean(found))


figure, axis = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
with Dataset(path) as data:
    n_replicas, is_a = data.sizes["replica"], data["species"][0] == 0
    sizes = [r for r in (1, 2, 4, 8, 16, 32) if 2 * r <= n_replicas]
    more = np.geomspace(1, 10 * n_replicas, 50)
    for k, time in enumerate(data["time"][:]):
        moved = np.linalg.norm(data["position"][0, k] - data["initial_position"][0], axis=-1)[:, is_a]
        measured = [halves(moved, r) for r in sizes]
        largest = measured[-1] / sizes[-1] / (1 - measured[-1])  # of one replica, by the Spearman–Brown formula
        line = axis.plot(sizes, np.sqrt(np.clip(measured, 0, 1)), "o", label=f"t = {time:g}")[0]
        axis.plot(more, np.sqrt(np.clip(more * largest / (1 + more * largest), 0, 1)), color=line.get_color(), lw=1)
        print(f"t = {time:g}: with {n_replicas} replicas a perfect prediction reaches", end=" ")
        print(f"{np.sqrt(max(0, data['propensity_reliability'][0, k])):.2f}")
axis.axvline(n_replicas, color="k", ls=":", lw=1)
axis.set(xscale="log", xlabel="replicas", ylabel="best correlation with the labels", ylim=(0, 1.02))
axis.set_title(f"{path}: measured, and by Spearman–Brown; dotted: {n_replicas} replicas", fontsize=9)
axis.legend(frameon=False)
figure.savefig(picture, dpi=120)
