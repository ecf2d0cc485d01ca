"""Statistics of a flow, gathered from its frames as they come, in memory that does not grow with their number.

Units: lattice units of the simulated grid; frequencies per frame; a lift is the momentum across the stream in the wake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dtrain.flow_metrics import divergence, energy_spectrum, peak_period
from runkit.arrays import F64, Bools, Floats, Ints

GOLDEN = (5**0.5 - 1) / 2  # whose multiples fill the parts of a whole evenly, and never come back to one of them
N_BLOCKS = 40  # stretches of time, each longer than the one before, over which a curve is averaged


class Welch:
    """The power spectrum of a real signal: the mean over segments that overlap by half, under a Hann window.

    A segment's own mean is taken away. Source: P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967).
    """

    def __init__(self, segment: int) -> None:
        self._window = np.hanning(segment + 2)[1:-1]
        self._kept: F64 = np.empty(0)
        self._sum: F64 = np.zeros(segment // 2 + 1)
        self.n_segments = 0

    def add(self, values: Floats) -> None:
        """The next values of the signal."""
        n = len(self._window)
        self._kept = np.concatenate([self._kept, np.asarray(values, np.float64)])
        while len(self._kept) >= n:
            part = self._kept[:n]
            self._sum += np.square(np.abs(np.fft.rfft((part - part.mean()) * self._window)))
            self.n_segments += 1
            self._kept = self._kept[max(1, n // 2) :]

    @property
    def period(self) -> float:
        """Frames of the strongest oscillation; NaN without a whole segment."""
        return peak_period(self._sum, len(self._window)) if self.n_segments else float("nan")


@dataclass(frozen=True)
class Summary:
    """Statistics of the frames of one case.

    `mean` and `rms` [2, x, y] are the mean velocity and the rms of its fluctuation, `spectrum` [k] the mean energy by
    wave number, `curve` [block] the variance in space of velocity, mean over stretches of time that end at the frames
    `ends`; `lift_rms` is that of the fluctuation, `largest` the largest speed.
    """

    n_frames: int
    mean: F64
    rms: F64
    spectrum: F64
    period: float
    lift_rms: float
    divergence: float
    largest: float
    curve: F64
    ends: F64

    def fluctuation(self, fluid: Bools) -> float:
        """Kinetic energy of the fluctuation, mean over fluid cells."""
        return float(0.5 * np.square(self.rms[:, fluid]).sum(axis=0).mean())


class Statistics:
    """Gathers frames of one case: `n_frames` in all, one of every `stride` for what is dear (mean, spectrum).

    Which one differs from stretch to stretch: a limit cycle whose period divides the stride would look as if it stood.
    `fluid` and `wake` are masks [x, y]; without a wake the lift is that of all fluid. The period is found from segments
    of `segment` frames.
    """

    def __init__(self, fluid: Bools, wake: Bools, n_frames: int, segment: int, stride: int = 1) -> None:
        self.fluid, self.region = fluid, wake if wake.any() else fluid
        self.stride, self.n_seen, self._n_sampled = stride, 0, 0
        self._welch = Welch(segment)
        self._lift, self._sums = np.zeros(2), np.zeros((2, 2, *fluid.shape))
        self._spectrum: F64 = np.zeros(min(fluid.shape) // 2)
        self._divergence, self._largest = 0.0, 0.0
        ends = np.unique(np.geomspace(1, max(1, n_frames), N_BLOCKS).round().astype(int))
        self._ends, self._curve = ends, np.zeros((2, len(ends)))

    def add(self, frames: Floats) -> None:
        """The next frames [3, time, x, y]: density and velocity, all finite."""
        density, velocity = frames[0], frames[1:]
        inside = velocity[:, :, self.fluid].astype(np.float64)
        self._largest = max(self._largest, float(np.sqrt(np.square(inside).sum(axis=0)).max()))
        lift = (density * velocity[1])[:, self.region].sum(axis=-1, dtype=np.float64)
        self._welch.add(lift)
        self._lift += [lift.sum(), np.square(lift).sum()]
        block = np.searchsorted(self._ends, self.n_seen + 1 + np.arange(len(lift)))
        block = np.minimum(block, len(self._ends) - 1)
        np.add.at(self._curve[0], block, inside.var(axis=-1).sum(axis=0))
        np.add.at(self._curve[1], block, 1.0)
        if len(chosen := self._chosen(len(lift))):
            self._sample(velocity[:, chosen])
        self.n_seen += len(lift)

    def _chosen(self, n: int) -> Ints:
        """The places, among the next n frames, of those that are sampled."""
        stretch = np.arange(self.n_seen // self.stride, -(-(self.n_seen + n) // self.stride))
        place = stretch * self.stride + (stretch * GOLDEN % 1 * self.stride).astype(int) - self.n_seen
        found: Ints = place[(place >= 0) & (place < n)]
        return found

    def _sample(self, velocity: Floats) -> None:
        wide = velocity.astype(np.float64)
        self._sums += [wide.sum(axis=1), np.square(wide).sum(axis=1)]
        self._spectrum += energy_spectrum(wide, self.fluid).sum(axis=0)
        self._divergence += float(np.square(divergence(wide, self.fluid)).sum())
        self._n_sampled += velocity.shape[1]

    def summary(self) -> Summary:
        """What was gathered; NaN throughout without a frame."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, square = self._sums / self._n_sampled
            lift = self._lift / self.n_seen
            seen = self._curve[1] > 0
            return Summary(
                n_frames=self.n_seen,
                mean=mean,
                rms=np.sqrt(np.maximum(square - mean**2, 0.0)),
                spectrum=self._spectrum / self._n_sampled,
                period=self._welch.period,
                lift_rms=float(np.sqrt(max(lift[1] - lift[0] ** 2, 0.0))),
                divergence=float(np.sqrt(np.float64(self._divergence) / self._n_sampled)),
                largest=self._largest,
                curve=np.where(seen, self._curve[0] / np.maximum(self._curve[1], 1), np.nan),
                ends=self._ends.astype(np.float64),
            )
