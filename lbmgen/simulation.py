"""One case, from rest to its last frame, on the ranks of a group.

A case is simulated in rounds of `frames.every` steps: first those of the warm-up, then one for each frame. After each
round the flow is checked: if it is too fast, too dense or not finite, the case ends as failed. Several cases can take
the steps of a round together.
Units: lattice units.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from lbmgen.averages import density_in_cells
from lbmgen.block import advance, statistics
from lbmgen.config import RunConfig
from lbmgen.forces import momentum_exchange
from lbmgen.kernels import Statistics
from lbmgen.points import StoredPoints
from lbmgen.preparation import Prepared
from lbmgen.reorder import fill_with_nan
from runkit.arrays import F64, I64, Array
from runkit.dataset.contracts.flow import LARGEST_DEVIATION, LARGEST_SPEED
from runkit.dataset.schema import PENDING
from runkit.dataset.scratch import Arrays, fault_in
from runkit.dataset.writer import Writer
from runkit.elementary import cos, sin
from runkit.mpi import World
from runkit.rng import stream

FORCES = ("drag", "lift", "side")
FLUX = 2.0**40  # quanta of velocity in one lattice unit: integers add up alike in any order
WRITE_BYTES = 1 << 22  # of frames that are written together: a write costs more than a small frame


def warm_up_rounds(config: RunConfig) -> int:
    """Rounds before the first frame."""
    return math.ceil(config.frames.warm_up * _crossing_time(config) / config.frames.every)


def _crossing_time(config: RunConfig) -> float:
    """Steps in which the slowest inlet crosses the domain."""
    return config.grid.cells[0] * config.grid.refinement / config.flow.velocity[0]


class Simulation:
    """The simulation of a case, which is stored at `place` of `file`; methods are collective unless noted."""

    def __init__(self, config: RunConfig, prepared: Prepared, file: Writer, group: World, place: int) -> None:
        self.config, self.file, self.group = config, file, group
        self.case, self.block, distance, self._fraction = prepared
        case = self.case
        self.i_case = place
        self._n_fluid = group.sum(int((~self.block.solid).sum()))
        self._flux = np.zeros(len(case.shape), np.int64)  # quanta of velocity, summed over the cells of stored frames
        self._checkpoint = f"case-{self.i_case:06d}.npz"
        self._last_save = time.monotonic()
        self.n_warm = warm_up_rounds(config)
        self._points = StoredPoints(config, case, self.block, group) if config.frames.points else None
        self._write_constants(distance)
        self.n_done = self._n_saved = self._begin()
        self.failure = ""  # why the case cannot be continued
        self._unwritten: list[tuple[Array, ...]] = []  # density, velocity, force coefficients of frames; at points

    @property
    def is_over(self) -> bool:
        """Whether the last frame is written, or the case cannot be continued."""
        return bool(self.failure) or self.n_done == self.n_warm + self.config.frames.count

    @property
    def is_warm(self) -> bool:
        """Whether the present round, or the next one, ends with a frame."""
        return self.n_done >= self.n_warm

    def record(self, impulse: I64, seen: Statistics) -> None:
        """Take the impulse and the statistics of a round; write frames when there are enough. A fault ends the case."""
        impulse = self.group.sum(impulse)
        self.failure = self._fault(seen)
        if self.failure:
            return
        if self.is_warm:
            assert seen.excess is not None and seen.velocity is not None  # in rounds that are warm means are computed
            quanta = np.rint(seen.velocity * FLUX).astype(np.int64)
            self._flux = self._flux + self.group.sum(quanta.reshape(-1, quanta.shape[-1]).sum(axis=0))
            fields = (x.astype(np.float32) for x in (density_in_cells(seen.excess, self._fraction), seen.velocity))
            at_points = self._points.sample() if self._points else ()
            self._unwritten.append((*fields, self._coefficients(impulse), *at_points))
        self.n_done += 1
        if self._unwritten and sum(values.nbytes for each in self._unwritten for values in each) >= WRITE_BYTES:
            self.write()

    def write(self) -> None:
        """Write the frames that are not yet written."""
        if not self._unwritten:
            return
        density, velocity, coefficient, *at_points = (np.stack(values) for values in zip(*self._unwritten, strict=True))
        last = self.n_done - self.n_warm
        frames = slice(last - len(self._unwritten), last)
        self._unwritten = []
        self._write_cells("t0_fields/density", density, frames)
        self._write_cells("t1_fields/velocity", velocity, frames)
        if self.group.is_root:
            if self._points:
                self._points.write_frames(self.file, (self.i_case, frames), *at_points)
            records = slice(*(end * coefficient.shape[1] for end in (frames.start, frames.stop)))
            for name, values in zip(FORCES, np.moveaxis(coefficient, -1, 0), strict=False):
                total, *each = values.reshape(-1, values.shape[-1]).T
                self.file.write(f"forces/{name}", (self.i_case, records), total)
                self.file.write(f"forces/body_{name}", (self.i_case, slice(None), records), np.stack(each))

    @property
    def is_due(self) -> bool:
        """Whether the last save is no longer recent (not collective)."""
        return time.monotonic() - self._last_save >= self.config.checkpoint_seconds

    def save(self) -> int:
        """Save a checkpoint; returns how many rounds it holds beyond the one before."""
        self.write()
        self.file.to_disk()  # the frames that a resumed case will not repeat
        parts = self.group.gather((self._sites(), self.block.arrived()))
        if parts is not None:
            whole = np.empty((self.block.fluid.lattice.q, *self.case.shape), self.block.layout.dtype)
            for sites, arrived in parts:
                whole[(slice(None), *sites)] = arrived
            state = {"arrived": whole, "flux": self._flux, **self._written(self.n_done)}
            self.file.scratch.save(self._checkpoint, n_rounds=np.array(self.n_done), **state)
        self._last_save = time.monotonic()
        n_before, self._n_saved = self._n_saved, self.n_done
        return self.n_done - n_before

    def finish(self) -> None:
        """Write the last frames and measured scalars; the fields of a failed case are filled with NaN."""
        if not self.failure:
            self.write()
        elif self.group.is_root:
            fill_with_nan(self.file, self.i_case)
        if self.group.is_root and not self.failure:
            sites = self.config.grid.refinement ** len(self.case.shape) / (self._n_fluid * self.config.frames.count)
            velocity = math.hypot(*(self._flux / FLUX * sites))
            reynolds = velocity * self.case.length / self.case.viscosity
            for name, value in (("velocity", velocity), ("reynolds_number", reynolds)):
                self.file.write(f"scalars/measured_{name}", (self.i_case,), value)

    def close(self) -> None:
        """Free the messages and remove the checkpoint."""
        self.block.free()
        if self.group.is_root:
            self.file.scratch.discard(self._checkpoint)

    def _begin(self) -> int:
        """Start from rest, or go on with a checkpoint; returns the number of rounds done."""
        saved = self.group.on_root(self.file.scratch.load, self._checkpoint, self._fault_in_checkpoint)
        if saved is not None:
            self.block.restore(saved["arrived"][(slice(None), *self._sites())])
            self._flux = saved["flux"]
            return int(saved["n_rounds"])
        x = (np.arange(self.block.shape[0]) + self.block.origin[0] + 0.5) / self.case.shape[0]
        wave = self.config.flow.disturbance * self.case.velocity * self._waves(x)
        ones = np.ones((len(x), *[1] * (len(self.block.shape) - 1)))
        velocity = np.zeros((*ones.shape, ones.ndim))
        velocity[..., 1] = wave.reshape(ones.shape)
        self.block.start(ones, velocity)
        return 0

    def _waves(self, x: F64) -> F64:
        """A few waves, 1 at most, of places x from 0 to 1 along the flow: no two cases start alike."""
        random = stream(self.config.seed, "start", self.case.number)
        weight, phase = random.uniform(0.5, 1.0, 3), random.uniform(0.0, 2 * np.pi, 3)
        waves = [a * sin(2 * np.pi * k * x + shift) for k, a, shift in zip((1, 2, 3), weight, phase, strict=True)]
        found: F64 = (waves[0] + waves[1] + waves[2]) / weight.sum()
        return found

    def _fault(self, seen: Statistics) -> str:
        """Why the case cannot be continued; "" if it can."""
        largest = [self.group.max(float(x) if np.isfinite(x) else math.inf) for x in (seen.fastest, seen.deviation)]
        step = (self.n_done + 1) * self.config.frames.every
        if largest[0] > LARGEST_SPEED:
            return f"step {step}: the largest velocity is {largest[0]:.3g}; allowed: up to {LARGEST_SPEED}"
        if largest[1] > LARGEST_DEVIATION:
            return f"step {step}: density departs from 1 by {largest[1]:.3g}; allowed: up to {LARGEST_DEVIATION}"
        return ""

    def _fault_in_checkpoint(self, saved: Arrays) -> str:
        """The fault of a checkpoint; "" if it is sound."""
        whole = np.broadcast_to(self.block.layout.dtype.type(0), (self.block.fluid.lattice.q, *self.case.shape))
        wanted = {"arrived": whole, "flux": self._flux, **self._written(0)}
        if message := fault_in(saved, wanted, {"n_rounds": self.n_warm + self.config.frames.count}):
            return message
        written = self._written(int(saved["n_rounds"]))
        is_same = all(np.array_equal(saved[name], sums) for name, sums in written.items())
        return "" if is_same else "the frames that it goes on from were changed"

    def _written(self, n_rounds: int) -> Arrays:
        """Checksums of what the case has written into the file after some rounds, and will not write again."""
        if self.file.checksums is None:
            return {}
        n_frames = max(0, n_rounds - self.n_warm)
        n_records = n_frames * self.config.frames.every // self.config.frames.force_every
        ends = {"time": n_frames, "force_time": n_records}
        return {"written": self.file.checksums.of("computed", (self.i_case,), PENDING, ends)}

    def _sites(self) -> tuple[slice, ...]:
        return tuple(slice(a, a + n) for a, n in zip(self.block.origin, self.block.shape, strict=True))

    def _write_cells(self, name: str, values: Array, *frames: slice) -> None:
        """Store this block's cells of a field."""
        width = self.config.grid.refinement
        cells = (slice(a // width, (a + n) // width) for a, n in zip(self.block.origin, self.block.shape, strict=True))
        self.file.write(name, (self.i_case, *frames, *cells), values.astype(np.float32))

    def _write_constants(self, distance: F64) -> None:
        self._write_cells("t0_fields/signed_distance", distance)
        self._write_cells("t0_fields/fluid_fraction", self._fraction)
        if not self.group.is_root:
            return
        scalars = {
            "reynolds_number": self.case.reynolds,
            "length": self.case.length,
            "velocity": self.case.velocity,
            "viscosity": self.case.viscosity,
        }
        for name, value in scalars.items():
            self.file.write(f"scalars/{name}", (self.i_case,), value)
        self.file.write_text("description", (self.i_case,), self.case.description())
        if self._points:
            self._points.write_constants(self.file, self.i_case)

    def _coefficients(self, impulse: I64) -> F64:
        """Force coefficients [n_records, 1 + n_bodies, d], averaged over `force_every` steps, of the sums of all ranks:
        of all bodies together, then of each."""
        force = momentum_exchange(np.concatenate([impulse.sum(axis=1, keepdims=True), impulse], axis=1))
        mean = force.reshape(-1, self.config.frames.force_every, *force.shape[1:]).mean(axis=1)
        mean[:, 1 + len(self.case.bodies) :] = np.nan
        found: F64 = mean / (0.5 * self.case.velocity**2 * self.case.area)
        return found


def wall_scale(config: RunConfig, n_done: int) -> F64:
    """The factor [n_steps] by which ramp and pulsation scale inlets and walls in the round after `n_done` rounds."""
    every, flow = config.frames.every, config.flow
    steps = np.arange(n_done * every, (n_done + 1) * every)
    duration = config.frames.ramp * _crossing_time(config)
    progress = np.minimum(1.0, (steps + 1) / duration) if duration else np.ones(len(steps))
    pulse = 1.0 + flow.pulsation * sin(2 * np.pi * (steps + 1) / flow.period)
    found: F64 = (0.5 - 0.5 * cos(np.pi * progress)) * pulse
    return found


def advance_round(simulations: Sequence[Simulation]) -> list[tuple[I64, Statistics]]:
    """Advance all simulations by a round; returns the impulse and the statistics that each is to record."""
    blocks = [simulation.block for simulation in simulations]
    config, rounds = simulations[0].config, [simulation.n_done for simulation in simulations]
    scales = {n_done: wall_scale(config, n_done) for n_done in set(rounds)}
    impulses = advance(blocks, np.stack([scales[n_done] for n_done in rounds]))
    is_stored = any(simulation.is_warm for simulation in simulations)
    seen = statistics(blocks, simulations[0].config.grid.refinement if is_stored else None)
    return list(zip(impulses, seen, strict=True))
