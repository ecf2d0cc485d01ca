"""Machines of the model: their rates, most of them inputs that were not measured with this code.

`sources` says what is measured and what is not; `--set KEY=VALUE` of `python -m tools.scaling predict` replaces any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runkit.errors import UserError


@dataclass(frozen=True)
class Machine:
    """A worker, a GPU or a core, advances `rate` atom-steps per second if it has enough to do.

    A GPU has `lanes` places, each of which advances one system at `rate / lanes`. Systems that are fewer than half of
    them share all of it instead: a step then costs `launch` seconds beside its work. `alone` is the rate of a core with
    a single system. `start` seconds go before the first step; a file takes `disk` bytes per second from all workers
    together, `stream` from one; `label` is seconds for a particle, replica and time; from `least` to `most` replicas
    advance together.
    """

    worker: str
    rate: float
    lanes: int
    launch: float
    alone: float
    start: float
    disk: float
    stream: float
    label: float
    least: int
    most: int
    sources: str

    def step_seconds(self, n_systems: int, n_particles: int) -> float:
        """One step of systems that advance together on one worker."""
        if self.worker == "core":
            return n_systems * n_particles / (self.alone if n_systems == 1 else self.rate)
        if 2 * n_systems < self.lanes:
            return self.launch + n_systems * n_particles / self.rate
        return max(n_systems, self.lanes) * n_particles / self.rate

    def changed(self, settings: Sequence[str]) -> Machine:
        """The same with numbers replaced by KEY=VALUE; raises UserError."""
        known = {key: type(value) for key, value in vars(self).items() if not isinstance(value, str)}
        given = {}
        for setting in settings:
            key, _, value = setting.partition("=")
            try:
                given[key] = known[key](value)
            except (KeyError, ValueError):
                given[key] = 0
            if not 0 < given[key] < 1e30:
                allowed = f"a number above 0 for one of {', '.join(known)}"
                raise UserError(f"--set {setting}: allowed: KEY=VALUE with {allowed}")
        return replace(self, **given)


GUESSED = "start, disk, stream: estimates; label: measured on a core"
H100 = Machine(
    "GPU", rate=1e9, lanes=132, launch=20e-6, alone=1e9, start=30.0, disk=20e9, stream=1e9, label=1.2e-6, least=1,
    most=528, sources="rate: the target of docs/performance.md, measured by nobody; launch: four of 5 us, an estimate; "
    + GUESSED,
)  # fmt: skip
AVX2 = replace(
    H100, worker="core", rate=6.6e6, lanes=1, launch=1e-9, alone=4.5e6, least=8, most=32,
    sources="rate, alone: measured on one core with AVX2, replicas at tau_alpha (docs/performance.md); " + GUESSED,
)  # fmt: skip
AVX512 = replace(
    AVX2, rate=17.4e6, alone=14.1e6,
    sources="rate, alone: measured on one core with AVX-512, replicas at tau_alpha (docs/performance.md); " + GUESSED,
)  # fmt: skip
MACHINES = {"h100": H100, "core-avx2": AVX2, "core-avx512": AVX512}
