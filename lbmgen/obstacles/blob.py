"""Smooth random blob: a closed curve from a few Fourier modes.

Units: the diameter of the circle about the origin that just holds the blob.
"""

from __future__ import annotations

import numpy as np

from lbmgen.obstacles import obstacle
from lbmgen.obstacles.outline import Outline, sampled
from runkit.arrays import F64
from runkit.elementary import cos, exp, sin
from runkit.rng import stream


@obstacle("blob")
def blob(seed: int = 0, modes: int = 4, roughness: float = 0.4) -> Outline:
    """The curve r(phi) = c exp(roughness sum_k a_k cos(k phi + phase_k) / k), k = 2 … modes + 1, drawn by `seed`.

    The radius is positive, so the curve never crosses itself. `a_k` lie in [-1, 1]; without k = 1 the origin stays
    about in the middle.
    """
    if not (1 <= modes <= 16 and modes == int(modes) and 0 <= roughness <= 1):
        raise ValueError(f"modes = {modes}, roughness = {roughness} are not allowed; allowed: 1 to 16 and 0 to 1")
    amplitude, phase = stream(seed, "blob").random((modes, 2)).T * [[2.0], [2 * np.pi]] - [[1.0], [0.0]]
    wave = np.arange(2, modes + 2)

    def swell(phi: F64) -> F64:
        found: F64 = exp(roughness * (cos(phi[:, None] * wave + phase) * (amplitude / wave)).sum(axis=1))
        return found

    widest = swell(np.linspace(0, 2 * np.pi, 4096)).max()

    def curve(t: F64) -> F64:
        phi = 2 * np.pi * t
        found: F64 = 0.5 / widest * swell(phi)[:, None] * np.stack([cos(phi), sin(phi)], axis=-1)
        return found

    return Outline(sampled(curve)[:-1])
