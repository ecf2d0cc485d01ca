"""How well predicted flow fields agree with simulation, frame by frame.

Fields are [..., x, y], velocities [2, ..., x, y]; only cells with fluid count, given by a mask [x, y].
Source: R. Ohana et al., arXiv:2412.00568 (the variance-scaled error, VRMSE, of the_well); D. Kochkov et al., PNAS 118,
e2101784118 (2021), doi:10.1073/pnas.2101784118 (correlation of vorticity over time).
Units: of the fields; lengths in cells.
"""

from __future__ import annotations

import numpy as np

from runkit.arrays import F64, Bools, Floats

EPSILON = 1e-12  # least variance over mean square; what varies less is uniform in single precision
DECORRELATED = 0.8


def variance_error(predicted: Floats, wanted: Floats, fluid: Bools) -> F64:
    """Root of mean squared error over variance in space [...]; 1 is as good as the mean of the true field."""
    x, y = predicted[..., fluid].astype(np.float64), wanted[..., fluid].astype(np.float64)
    least = EPSILON * np.square(y).mean(axis=-1) + np.finfo(float).tiny
    found: F64 = np.sqrt(np.square(x - y).mean(axis=-1) / np.maximum(y.var(axis=-1), least))
    return found


def correlation(predicted: Floats, wanted: Floats, fluid: Bools) -> F64:
    """Pearson correlation in space [...]; 0 where a field does not vary."""
    x, y = predicted[..., fluid].astype(np.float64), wanted[..., fluid].astype(np.float64)
    x, y = x - x.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    scale = np.sqrt(np.square(x).sum(axis=-1) * np.square(y).sum(axis=-1))
    found: F64 = np.divide((x * y).sum(axis=-1), scale, out=np.zeros(scale.shape), where=scale > 0)
    return found


def correlation_time(values: Floats) -> int:
    """Frames until the correlation [time] first falls below `DECORRELATED`; all of them if it never does."""
    below = np.flatnonzero(~(values >= DECORRELATED))
    return int(below[0]) if len(below) else len(values)


def vorticity(velocity: Floats, fluid: Bools) -> Floats:
    """dv/dx - du/dy [..., x, y]; 0 in cells without fluid."""
    curl = np.gradient(velocity[1], axis=-2) - np.gradient(velocity[0], axis=-1)
    return np.where(fluid, curl, 0.0)


def divergence(velocity: Floats, fluid: Bools) -> F64:
    """Root mean square of du/dx + dv/dy [...] over cells whose four neighbours are fluid too."""
    inner = fluid.copy()
    for axis in (0, 1):
        for shift in (1, -1):
            inner &= np.roll(fluid, shift, axis)
    inner[[0, -1]] = inner[:, [0, -1]] = False
    values = np.gradient(velocity[0], axis=-2) + np.gradient(velocity[1], axis=-1)
    found: F64 = np.sqrt(np.square(values[..., inner], dtype=np.float64).mean(axis=-1))
    return found


def energy_spectrum(velocity: Floats, fluid: Bools) -> F64:
    """Kinetic energy by whole wave number [..., k], k = 1, 2, … waves across the shorter side.

    Of the deviation from the mean velocity, faded out towards the faces (Hann), since the domain need not be periodic.
    """
    nx, ny = fluid.shape
    mean = velocity[..., fluid].mean(axis=-1)[..., None, None]
    window = np.outer(np.hanning(nx + 2)[1:-1], np.hanning(ny + 2)[1:-1]) * fluid
    energy = 0.5 * np.square(np.abs(np.fft.fft2((velocity - mean) * window))).sum(axis=0)
    short = min(nx, ny)
    k = np.hypot(np.fft.fftfreq(nx, 1 / short)[:, None] * 1.0, np.fft.fftfreq(ny, 1 / short)[None] * 1.0)
    shell = np.rint(k).astype(int)
    shells = [energy[..., shell == n].sum(axis=-1) for n in range(1, short // 2 + 1)]
    found: F64 = np.stack(shells, axis=-1) / (nx * ny) ** 2
    return found


def spectrum_error(predicted: Floats, wanted: Floats) -> Floats:
    """Mean over wave numbers of |log10 of the ratio| of two spectra [..., k] -> [...]."""
    tiny = 1e-12 * wanted.max(axis=-1, keepdims=True) + np.finfo(float).tiny
    found: Floats = np.abs(np.log10((predicted + tiny) / (wanted + tiny))).mean(axis=-1)
    return found


def wake(distance: Floats, cell: float) -> Bools:
    """Mask [x, y] of the fluid behind the obstacles: as high as they are and half as much on either side.

    `distance` is the signed distance in sites, `cell` the width of a cell in sites. Empty without obstacles.
    """
    solid = distance <= 0
    if not solid.any():
        return np.zeros(distance.shape, bool)
    columns, rows = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    margin = (rows[-1] - rows[0] + 2) // 2
    region = np.zeros(distance.shape, bool)
    region[columns[-1] + 1 :, max(0, rows[0] - margin) : rows[-1] + margin + 1] = True
    return region & (distance > 0.5 * cell)
