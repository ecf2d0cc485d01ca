"""How well predicted flow fields agree with simulation, frame by frame.

Fields are [..., x, y], velocities [2, ..., x, y]; only cells with fluid count, given by a mask [x, y]. What is not
finite, or too large to be squared, scores no finite number. All functions raise UserError for arrays that do not fit.
Source: R. Ohana et al., arXiv:2412.00568 (the variance-scaled error, VRMSE, of the_well); D. Kochkov et al., PNAS 118,
e2101784118 (2021), doi:10.1073/pnas.2101784118 (correlation of vorticity over time).
Units: of the fields; lengths in cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from runkit.arguments import as_array, positive, real
from runkit.arrays import F64, Bools, Floats
from runkit.errors import UserError

EPSILON = 1e-12  # least variance over mean square; what varies less is uniform in single precision
DECORRELATED = 0.8


# As a decorator: what overflows, or was not finite before, is seen in the result.
_quietly = np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")


def _mask(fluid: ArrayLike) -> Bools:
    mask = as_array("fluid", fluid)
    if mask.dtype != bool or mask.ndim != 2 or not mask.any():
        raise UserError(f"fluid: a mask [x, y] with a cell of fluid is needed, not {mask.dtype} {mask.shape}")
    return mask


def _in_fluid(predicted: ArrayLike, wanted: ArrayLike, fluid: ArrayLike) -> tuple[F64, F64]:
    """Two fields [..., cell] of one shape where there is fluid."""
    x, y, mask = real("predicted", predicted), real("wanted", wanted), _mask(fluid)
    if x.shape != y.shape or x.shape[-2:] != mask.shape:
        raise UserError(f"predicted, wanted: one shape [..., *{mask.shape}] is needed, not {x.shape} and {y.shape}")
    return x[..., mask].astype(np.float64), y[..., mask].astype(np.float64)


def _flow(velocity: ArrayLike, fluid: ArrayLike) -> tuple[Floats, Bools]:
    """A velocity, and a mask of its cells, two at least along each axis."""
    found, mask = real("velocity", velocity), _mask(fluid)
    if min(mask.shape) < 2 or found.ndim < 3 or found.shape[0] != 2 or found.shape[-2:] != mask.shape:
        raise UserError(f"velocity: shape [2, ..., *{mask.shape}] of 2 x 2 cells or more is needed, not {found.shape}")
    return (found if found.dtype.kind == "f" else found.astype(np.float64)), mask


@_quietly
def variance_error(predicted: Floats, wanted: Floats, fluid: Bools) -> F64:
    """Root of mean squared error over variance in space [...]; 1 is as good as the mean of the true field."""
    x, y = _in_fluid(predicted, wanted, fluid)
    least = EPSILON * np.square(y).mean(axis=-1) + np.finfo(float).tiny
    found: F64 = np.sqrt(np.square(x - y).mean(axis=-1) / np.maximum(y.var(axis=-1), least))
    return found


@_quietly
def correlation(predicted: Floats, wanted: Floats, fluid: Bools) -> F64:
    """Pearson correlation in space [...]; 0 where a field does not vary."""
    x, y = _in_fluid(predicted, wanted, fluid)
    x, y = x - x.mean(axis=-1, keepdims=True), y - y.mean(axis=-1, keepdims=True)
    scale = np.sqrt(np.square(x).sum(axis=-1) * np.square(y).sum(axis=-1))
    found: F64 = np.divide((x * y).sum(axis=-1), scale, out=np.zeros(scale.shape), where=scale > 0)
    return found


def correlation_time(values: Floats) -> int:
    """Frames until the correlation [time] first falls below `DECORRELATED`; all of them if it never does."""
    found = real("values", values)
    if found.ndim != 1:
        raise UserError(f"values: numbers [time] are needed, not shape {found.shape}")
    below = np.flatnonzero(~(found >= DECORRELATED))
    return int(below[0]) if len(below) else len(found)


@_quietly
def vorticity(velocity: Floats, fluid: Bools) -> Floats:
    """dv/dx - du/dy [..., x, y]; 0 in cells without fluid."""
    velocity, fluid = _flow(velocity, fluid)
    curl = np.gradient(velocity[1], axis=-2) - np.gradient(velocity[0], axis=-1)
    return np.where(fluid, curl, 0.0)


@_quietly
def divergence(velocity: Floats, fluid: Bools) -> F64:
    """Root mean square of du/dx + dv/dy [...] over cells whose four neighbours are fluid too; NaN if there is none."""
    velocity, fluid = _flow(velocity, fluid)
    inner = fluid.copy()
    for axis in (0, 1):
        for shift in (1, -1):
            inner &= np.roll(fluid, shift, axis)
    inner[[0, -1]] = inner[:, [0, -1]] = False
    values = np.gradient(velocity[0], axis=-2) + np.gradient(velocity[1], axis=-1)
    squares = np.square(values[..., inner], dtype=np.float64)
    found: F64 = np.sqrt(squares.mean(axis=-1)) if inner.any() else np.full(squares.shape[:-1], np.nan)
    return found


@_quietly
def energy_spectrum(velocity: Floats, fluid: Bools) -> F64:
    """Kinetic energy by whole wave number [..., k], k = 1, 2, … waves across the shorter side.

    Of the deviation from the mean velocity, faded out towards the faces (Hann), since the domain need not be periodic.
    """
    velocity, fluid = _flow(velocity, fluid)
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


@_quietly
def spectrum_error(predicted: Floats, wanted: Floats) -> Floats:
    """Mean over wave numbers of |log10 of the ratio| of two spectra [..., k] -> [...]."""
    predicted, wanted = real("predicted", predicted), real("wanted", wanted)
    if predicted.shape != wanted.shape or not (wanted.ndim and wanted.size):
        raise UserError(f"predicted, wanted: spectra of one shape are needed, not {predicted.shape} and {wanted.shape}")
    if (predicted < 0).any() or (wanted < 0).any():
        raise UserError("predicted, wanted: energies below zero are no spectrum")
    tiny = 1e-12 * wanted.max(axis=-1, keepdims=True) + np.finfo(float).tiny
    found: Floats = np.abs(np.log10((predicted + tiny) / (wanted + tiny))).mean(axis=-1)
    return found


def wake(distance: Floats, cell: float) -> Bools:
    """Mask [x, y] of the fluid behind the obstacles: as high as they are and half as much on either side.

    `distance` is the signed distance in sites, `cell` the width of a cell in sites. Empty without obstacles.
    """
    distance, cell = real("distance", distance), positive("cell", cell)
    if distance.ndim != 2:
        raise UserError(f"distance: numbers [x, y] are needed, not shape {distance.shape}")
    solid = distance <= 0
    if not solid.any():
        return np.zeros(distance.shape, bool)
    columns, rows = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    margin = (rows[-1] - rows[0] + 2) // 2
    region = np.zeros(distance.shape, bool)
    region[columns[-1] + 1 :, max(0, rows[0] - margin) : rows[-1] + margin + 1] = True
    return region & (distance > 0.5 * cell)
