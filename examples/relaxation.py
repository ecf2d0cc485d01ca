"""A simple liquid from arrays alone: it melts from a crystal, and its motion is followed with constant energy.

python examples/relaxation.py relaxation.png
"""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import mdgen

DENSITY, TEMPERATURE, DT, CELLS = 0.85, 1.0, 0.004, 7
BETWEEN, RECORDS = 10, 100  # steps between records of the motion

n = CELLS**3
edge = (n / DENSITY) ** (1 / 3)
sites = np.stack(np.meshgrid(*[np.arange(CELLS)] * 3), -1).reshape(-1, 3)
position, species = (sites + 0.5) * edge / CELLS, np.zeros(n, np.int8)
velocity = np.random.default_rng(1).normal(size=(n, 3))
move = {"species": species, "box": edge, "dt": DT, "potential": "lennard-jones"}
for _ in range(30):
    velocity -= velocity.mean(axis=0)
    velocity *= np.sqrt(TEMPERATURE * 3 * n / (velocity**2).sum())
    position, velocity = mdgen.propagate(position, velocity, n_steps=50, **move)

start, fresh, energies, squares, memory = position, velocity, [], [], []
for _ in range(RECORDS):
    state = mdgen.evaluate(position, species, edge, "lennard-jones")
    energies.append((state.energy + 0.5 * (velocity**2).sum()) / n)
    squares.append(((position - start) ** 2).sum(axis=1).mean())
    memory.append((velocity * fresh).sum() / (fresh**2).sum())
    position, velocity = mdgen.propagate(position, velocity, n_steps=BETWEEN, **move)

time = DT * BETWEEN * np.arange(RECORDS)
late = time > time[-1] / 2
slope, offset = np.polyfit(time[late], np.array(squares)[late], 1)
diffusion = slope / 6
pressure = DENSITY * TEMPERATURE + state.virial / (3 * edge**3)
print(f"diffusion {diffusion:.3f} σ²/τ, pressure {pressure:.2f} ε/σ³, energy kept to {np.ptp(energies):.1e} ε")

figure, axes = plt.subplots(1, 3, figsize=(9.6, 3), layout="constrained")
for axis, values, label in zip(
    axes,
    (squares, memory, np.array(energies) - energies[0]),
    ("mean squared displacement [σ²]", "velocity autocorrelation", "energy per particle − its start [ε]"),
    strict=True,
):
    axis.plot(time, values)
    axis.set(xlabel="t [τ]", ylabel=label)
axes[0].plot(time, offset + slope * time, "k:", label=f"6Dt + c, D = {diffusion:.3f} σ²/τ")
axes[0].legend(frameon=False)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "relaxation.png", dpi=120)
