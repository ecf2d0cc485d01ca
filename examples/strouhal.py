"""How often do vortices come off? From a file of lbmgen: the frequency of the lift over the Reynolds number.

python -m lbmgen examples/cases/cylinders.toml
python examples/strouhal.py data/cylinders.h5 strouhal.png
"""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE

path, picture = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "strouhal.png"
with Dataset(path) as data:
    done = data["computed"][:] == COMPLETE
    reynolds, length, speed = (data[f"scalars/{name}"][:][done] for name in ("reynolds_number", "length", "velocity"))
    time, lift, drag = data["forces/time"][:], data["forces/lift"][:][done], data["forces/drag"][:][done]

interval = float(time[1] - time[0])
frequencies = np.fft.rfftfreq(16 * len(time), interval)  # zeros behind, so that the peak is found between lines
window = np.hanning(len(time))
spectra = np.abs(np.fft.rfft((lift - lift.mean(axis=1, keepdims=True)) * window, n=16 * len(time)))
strouhal = frequencies[spectra.argmax(axis=1)] * length / speed
for row in zip(reynolds, strouhal, drag.mean(axis=1), strict=True):
    print("Re = {:.0f}: St = {:.3f}, drag coefficient {:.2f}".format(*row))

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
for i in np.argsort(reynolds):
    left.plot((time - time[0]) * speed[i] / length[i], lift[i], lw=1, label=f"Re = {reynolds[i]:.0f}")
left.set(xlabel="t U / D", ylabel="lift coefficient")
left.legend(frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
right.plot(reynolds, strouhal, "o", label="here")
line = np.linspace(min(reynolds.min(), 60), reynolds.max(), 50)
right.plot(line, 0.212 * (1 - 21.2 / line), "k-", lw=1, label="Roshko 1954, unbounded")
right.set(xlabel="Reynolds number", ylabel="Strouhal number f D / U", ylim=(0, 0.35))
right.legend(frameon=False, fontsize=8)
figure.savefig(picture, dpi=120)
