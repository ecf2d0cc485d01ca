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
# Whole waves across the shorter side, first and last: what drives the flow, what bodies shed, what a grid barely holds.
SCALES = {"large": (1, 4), "middle": (5, 12), "small": (13, 10**6)}
MIN_SAMPLES = 8  # of a signal that may have a period


# As a decorator: an overflow, or a value that was not finite before, shows in the result.
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
def normalised_error(predicted: Floats, wanted: Floats, fluid: Bools) -> F64:
    """Squared error over squared field, both summed over components and cells: [components, ..., x, y] -> [...].

    Source: Y. Luo et al., arXiv:2310.05963 (the NMSE of CFDBench, of velocity).
    """
    x, y = _in_fluid(predicted, wanted, fluid)
    if x.ndim < 2:
        raise UserError("predicted, wanted: components of a field are needed, [components, ..., x, y]")
    found: F64 = np.square(x - y).sum(axis=(0, -1)) / (np.square(y).sum(axis=(0, -1)) + np.finfo(float).tiny)
    return found


@_quietly
def squared_error(predicted: Floats, wanted: Floats, fluid: Bools, unit: float) -> F64:
    """Mean squared error over components and cells, in squares of `unit`: [components, ..., x, y] -> [...].

    Source: G. Kohl et al., arXiv:2309.01745 (an MSE of fields in one unit for all cases).
    """
    x, y = _in_fluid(predicted, wanted, fluid)
    if x.ndim < 2:
        raise UserError("predicted, wanted: components of a field are needed, [components, ..., x, y]")
    found: F64 = np.square((x - y) / positive("unit", unit)).mean(axis=(0, -1))
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
    predicted, wanted = _spectra(predicted, wanted)
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


def _spectra(predicted: ArrayLike, wanted: ArrayLike) -> tuple[Floats, Floats]:
    x, y = real("predicted", predicted), real("wanted", wanted)
    if x.shape != y.shape or not (y.ndim and y.size):
        raise UserError(f"predicted, wanted: spectra of one shape are needed, not {x.shape} and {y.shape}")
    if (x < 0).any() or (y < 0).any():
        raise UserError("predicted, wanted: energies below zero are no spectrum")
    return x, y


@_quietly
def energy_by_scale(predicted: Floats, wanted: Floats) -> dict[str, Floats]:
    """log10 of the ratio of energies of two spectra [..., k] -> [...], for each band of `SCALES`; NaN without waves."""
    predicted, wanted = _spectra(predicted, wanted)
    found: dict[str, Floats] = {}
    tiny = 1e-12 * wanted.max(axis=-1) + np.finfo(float).tiny
    for name, (first, last) in SCALES.items():
        energy = [spectrum[..., first - 1 : last].sum(axis=-1) for spectrum in (predicted, wanted)]
        ratio = np.log10((energy[0] + tiny) / (energy[1] + tiny))
        found[name] = ratio if first <= wanted.shape[-1] else np.full(ratio.shape, np.nan)
    return found


@_quietly
def period(signal: Floats, least: float = 1e-3) -> float:
    """Period of the strongest oscillation of a real signal [time] in samples; NaN if it has none.

    The mean is taken away and a Hann window laid over. A signal whose rms is below `least` of its mean has none.
    """
    values = real("signal", signal).astype(np.float64)
    if values.ndim != 1:
        raise UserError(f"signal: numbers [time] are needed, not shape {values.shape}")
    n = len(values)
    if n < MIN_SAMPLES:
        return float("nan")
    mean = values.mean()
    if not np.isfinite(mean) or values.std() <= least * abs(mean) + np.finfo(float).tiny:
        return float("nan")
    return peak_period(np.square(np.abs(np.fft.rfft((values - mean) * np.hanning(n + 2)[1:-1]))), n)


def peak_period(power: Floats, n: int) -> float:
    """Period in samples of the highest peak of the power [n // 2 + 1] of n samples under a Hann window.

    The peak is refined by the parabola through the logarithms of the three highest values, which for this window is
    exact to a few hundredths of a line of the spectrum. Less than two periods in n samples count as a drift.
    """
    power = real("power", power).astype(np.float64)
    if power.ndim != 1 or (power < 0).any():
        raise UserError(f"power: numbers [frequency], none below zero, are needed, not shape {power.shape}")
    if len(power) < 4:
        return float("nan")
    k = int(np.argmax(power[2:-1])) + 2
    a, b, c = np.log(power[k - 1 : k + 2] + np.finfo(float).tiny)
    bend = a - 2 * b + c
    shift = 0.5 * (a - c) / bend if bend < 0 else 0.0
    return float(n / (k + np.clip(shift, -0.5, 0.5)))
