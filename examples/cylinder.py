"""Flow past a cylinder between slip walls: drag and lift by momentum exchange, and the vorticity at the end.

python examples/cylinder.py cylinder.png          # half a minute; `cylinder.png 3000` takes fewer steps
"""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import lbmgen

LENGTH, HEIGHT, DIAMETER, SPEED, REYNOLDS = 300, 120, 16, 0.08, 120
n_steps = int(sys.argv[2]) if len(sys.argv) > 2 else 20000

x, y = np.indices((LENGTH, HEIGHT))
distance = np.hypot(x - 70, y - HEIGHT / 2 + 1.5) - DIAMETER / 2  # negative inside; off the middle, so that it sheds
viscosity = SPEED * DIAMETER / REYNOLDS
start = np.zeros((LENGTH, HEIGHT, 2))
start[..., 0] = SPEED * (distance > 0)
flow = lbmgen.simulate(
    np.ones((LENGTH, HEIGHT)),
    start,
    tau=0.5 + 3 * viscosity,
    n_steps=n_steps,
    sdf=distance,
    boundaries={
        "x_low": {"kind": "velocity", "velocity": SPEED},
        "x_high": {"kind": "convective", "speed": SPEED},
        "y": "free-slip",
    },
)
drag, lift = 2 * flow.body_force.T / (SPEED**2 * DIAMETER)
late = slice(n_steps // 2, None)
print(f"drag coefficient {drag[late].mean():.2f}, lift up to {np.abs(lift[late]).max():.2f}")

vorticity = np.gradient(flow.u[..., 1], axis=0) - np.gradient(flow.u[..., 0], axis=1)
vorticity[distance < 1.5] = 0
figure, axes = plt.subplots(2, 1, figsize=(7.2, 5.2), height_ratios=(2.2, 1), layout="constrained")
largest = np.percentile(np.abs(vorticity), 99) * DIAMETER / SPEED
image = axes[0].imshow(
    vorticity.T * DIAMETER / SPEED, origin="lower", cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="bilinear"
)
axes[0].contourf(distance.T, levels=[-DIAMETER, 0], colors=["#888888"])
axes[0].set(title=f"vorticity ωD/U, Re = {REYNOLDS}", xlabel="x [site]", ylabel="y [site]")
figure.colorbar(image, ax=axes[0], extend="both", shrink=0.8)
time = np.arange(n_steps) * SPEED / DIAMETER
axes[1].plot(time, drag, label="drag")
axes[1].plot(time, lift, label="lift")
axes[1].set(xlabel="t U / D", ylabel="coefficient", ylim=(-1, 3))
axes[1].legend(frameon=False, ncols=2)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "cylinder.png", dpi=120)
