"""How mobile will each particle be? A small liquid is made, and its isoconfigurational ensemble, without a file.

python examples/propensity.py propensity.png
"""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import mdgen

N, DENSITY, TEMPERATURE = 400, 1.2, 0.8
TIMES = [0.05, 0.2, 1.0, 4.0]  # in tau_LJ
STAGES = [(0.0005, 20, 2.0)] * 20 + [(0.004, 100, TEMPERATURE)] * 40  # time step, steps, temperature


def liquid(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Positions, species and edge of a liquid: a crystal is melted, then brought to the temperature by rescaling."""
    edge = (N / DENSITY) ** (1 / 3)
    sites = np.stack(np.meshgrid(*[np.arange(8)] * 3), -1).reshape(-1, 3)[rng.permutation(512)[:N]]
    position, species = (sites + 0.5) * edge / 8, (np.arange(N) >= 0.8 * N).astype(np.int8)
    velocity = rng.normal(0, 1, position.shape)
    for dt, n_steps, target in STAGES:
        velocity -= velocity.mean(axis=0)
        velocity *= np.sqrt(target * 3 * N / (velocity**2).sum())
        position, velocity = mdgen.propagate(position, velocity, species, edge, dt, n_steps)
    return position, species, edge


position, species, edge = liquid(np.random.default_rng(1))
energy = mdgen.evaluate(position, species, edge).energy / N
propensity = mdgen.isoconfigurational(position, species, edge, TEMPERATURE, TIMES, n_replicas=16, seed=1)
print(f"{N} particles, potential energy {energy:.3f} each; propensity at t = {TIMES[-1]}: {propensity[-1].mean():.3f}")

figure, axes = plt.subplots(1, len(TIMES), figsize=(3 * len(TIMES), 3.2), sharey=True, layout="constrained")
wrapped = np.mod(position, edge)
slab = np.abs(wrapped[:, 2] - edge / 2) < 0.7
scale = plt.Normalize(0.5, 2)
for axis, time, moved in zip(axes, TIMES, propensity, strict=True):
    axis.scatter(*wrapped[slab, :2].T, c=moved[slab] / moved.mean(), s=230, cmap="Reds", norm=scale, ec="k", lw=0.5)
    axis.set(title=f"t = {time:g}", aspect="equal", xlim=(0, edge), ylim=(0, edge), xlabel="x [σ]")
axes[0].set_ylabel("y [σ]")
bar = figure.colorbar(plt.cm.ScalarMappable(scale, "Reds"), ax=axes, extend="both")
bar.set_label("propensity over its mean")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "propensity.png", dpi=120)
