"""Compare mdgen with LAMMPS and with itself; print each measured figure beside its limit. Exit code 1 if one is missed.

    python -m tools.validate_md forces         --configuration FILE --lammps EXECUTABLE
    python -m tools.validate_md potentials     --configuration FILE --lammps EXECUTABLE
    python -m tools.validate_md trajectory     --configuration FILE --lammps EXECUTABLE
    python -m tools.validate_md inherent       --configuration FILE --lammps EXECUTABLE
    python -m tools.validate_md thermodynamics --temperature 1.0    --lammps EXECUTABLE
    python -m tools.validate_md drift          --configuration FILE [--device gpu --steps 1000000 --precision float32]
    python -m tools.validate_md labels         --configuration FILE …
    python -m tools.validate_md reference      --configuration FILE --lammps EXECUTABLE

The last one writes forces and, after 100 steps from rest, positions to `reference.txt`; the suite holds one.

`docs/validation.md` records the figures. LAMMPS' input and output stay in `--directory`.
Units: Lennard-Jones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import mdgen
from mdgen.dynamics import Dynamics
from mdgen.formats import read
from mdgen.initial import Configuration, melt
from mdgen.minimize import inherent_structure
from mdgen.neighbors import spatial_order
from mdgen.observables import sample_labels
from mdgen.potentials import potential
from mdgen.thermostats import thermostat
from mdgen.velocities import maxwell_velocities
from runkit.cli import OptionParser
from runkit.device import choose
from runkit.errors import in_one_line
from runkit.folders import make_own_folder
from runkit.mpi import SerialWorld
from runkit.progress import Progress
from runkit.rng import stream
from tools.lammps_reference import Lammps
from tools.report import Report

LAW = potential.build("kob-andersen")
MIXTURE: dict[str, Any] = {"epsilon": [1.0, 1.5, 0.5], "sigma": [1.0, 0.8, 0.88]}
OTHER_LAWS: dict[str, dict[str, Any]] = {
    "weeks-chandler-andersen": MIXTURE,
    "kob-andersen-force-shifted": {},
    "inverse-power": MIXTURE | {"exponent": 12, "cutoff": 2.5},
    "smoothed-inverse-power": MIXTURE | {"exponent": 12, "cutoff": 1.25},
}
DT = 0.005
PRECISIONS = ("float64", "float32")
N_DRIFTING = 8  # trajectories whose energy is watched


def forces(options: argparse.Namespace, report: Report) -> None:
    """Energy, virial and forces of one configuration."""
    for path in options.configuration:
        start = read(path)[0]
        energy, virial, force = lammps(options).evaluate(start, LAW)
        print(f"{path.name}: {len(start.species)} particles, U/N = {energy / len(start.species):.9f}")
        for dtype, scale in (("float64", 1.0), ("float32", None)):
            ours = mdgen.evaluate(start.position, start.species, start.box, LAW, dtype)
            error = np.abs(ours.force - force)
            report.row(f"{dtype}: max |dF|  (max |F| = {np.abs(force).max():.3g})", error.max(), scale and 1e-10)
            report.row(f"{dtype}: rms dF", np.sqrt((error**2).mean()))
            report.row(f"{dtype}: |dU| / |U|", abs(ours.energy / energy - 1), scale and 1e-12)
            report.row(f"{dtype}: |dW| / |W|", abs(ours.virial / virial - 1), scale and 1e-12)


def potentials(options: argparse.Namespace, report: Report) -> None:
    """Energy, virial and forces of every other law, on one configuration."""
    start = read(options.configuration[0])[0]
    for name, parameters in OTHER_LAWS.items():
        law = potential.build(name, **parameters)
        energy, virial, force = lammps(options).evaluate(start, law)
        ours = mdgen.evaluate(start.position, start.species, start.box, name, parameters=parameters)
        print(f"{name}: U = {energy!r}, W = {virial!r}, sum of F² = {float((force**2).sum())!r}")
        report.row(f"max |dF|  (max |F| = {np.abs(force).max():.3g})", np.abs(ours.force - force).max(), 1e-10)
        report.row("|dU| / |U|", abs(ours.energy / energy - 1), 1e-12)
        report.row("|dW| / |W|", abs(ours.virial / virial - 1), 1e-12)


def trajectory(options: argparse.Namespace, report: Report) -> None:
    """1000 steps of NVE; rounding errors grow exponentially, so LAMMPS against itself sets the yardstick."""
    start = read(options.configuration[0])[0]
    velocity = maxwell_velocities(len(start.species), options.temperature, 1, 0, 0)
    n_steps = (10, 100, 300, 1000)
    theirs = lammps(options).propagate(start, velocity, LAW, DT, n_steps, skin=0.3)
    control = lammps(options).propagate(start, velocity, LAW, DT, n_steps, skin=0.25)
    position, reached = start.position, 0
    for (their_position, their_velocity), (other, _), n in zip(theirs, control, n_steps, strict=True):
        position, velocity = mdgen.propagate(position, velocity, start.species, start.box, DT, n - reached, LAW)
        reached = n
        report.row(f"step {n}: LAMMPS with another skin, max |dr|", np.abs(other - their_position).max())
        report.row(f"step {n}: mdgen float64, max |dr|", np.abs(position - their_position).max(), 1e-7)
        report.row(f"step {n}: mdgen float64, max |dv|", np.abs(velocity - their_velocity).max(), 1e-6)


def inherent(options: argparse.Namespace, report: Report) -> None:
    """Energies of inherent structures; two minimisers may end in neighbouring minima."""
    for path in options.configuration:
        start = read(path)[0]
        found = inherent_structure(start, LAW)
        theirs = lammps(options).minimum(start, LAW) / len(start.species)
        print(f"{path.name}: {found.n_iterations} iterations of FIRE, largest force left {found.largest_force:.1e}")
        report.row("LAMMPS, conjugate gradients: U/N", theirs)
        report.row("mdgen, FIRE: U/N", found.energy / len(start.species))
        report.row("difference", abs(found.energy / len(start.species) - theirs), 2e-3)


def thermodynamics(options: argparse.Namespace, report: Report) -> None:
    """Mean potential energy and pressure of independent NVT runs, within three standard errors."""
    start = melt(options.particles, (0.8, 0.2), 1.2, seed=1, sample=0)
    plan = (10000, options.steps, 20)
    theirs = lammps(options).thermodynamics(start, LAW, options.temperature, DT, plan)
    ours = np.array(list(_sample(start, options.temperature, plan)))
    for column, name in enumerate(("U/N", "P")):
        (mean, error), (their_mean, their_error) = _block_average(ours[:, column]), _block_average(theirs[:, column])
        print(f"{name}: mdgen {mean:.5f} ± {error:.5f}, LAMMPS {their_mean:.5f} ± {their_error:.5f}")
        report.row("difference / standard error", abs(mean - their_mean) / np.hypot(error, their_error), 3)


def _sample(start, temperature: float, plan: tuple[int, int, int]):
    """Potential energy per particle and pressure along an NVT trajectory of ours."""
    n_particles, volume = len(start.species), start.box.prod()
    coupling = thermostat.get("bussi")(temperature, 0.5, DT, 3 * n_particles - 3, [stream(2, "validate")])
    velocity = maxwell_velocities(n_particles, temperature, 2, 0, 0)
    given = start.position[None], velocity[None], start.species, start.box, LAW, DT
    dynamics = Dynamics(*given, precision="float32", thermostat=coupling)
    equilibrate, sample, every = plan
    dynamics.step(equilibrate)
    for _ in range(sample // every):
        dynamics.step(every)
        pressure = (2 * dynamics.kinetic_energy[0] + dynamics.virial[0]) / (3 * volume)
        yield dynamics.potential_energy[0] / n_particles, pressure


def _block_average(values: np.ndarray, n_blocks: int = 20) -> tuple[float, float]:
    """Mean and its standard error from the scatter of blocks, each far longer than the correlation time."""
    block = np.array([part.mean() for part in np.array_split(values, n_blocks)])
    return float(block.mean()), float(block.std(ddof=1) / np.sqrt(n_blocks))


def drift(options: argparse.Namespace, report: Report) -> None:
    """Total energy per particle along NVE trajectories, on the CPU or a GPU, and how far their centre moves.

    The limit grows with time: the force jumps to zero at the cutoff, and what a step makes of that heats (docs).
    """
    device = choose(SerialWorld(), options.device)
    start = read(options.configuration[0])[0]
    for precision in options.precision:
        found = energy_drift(start, device, precision, options.steps, options.temperature)
        report.row(f"{precision}: rms (E - E0)/N over {options.steps} steps", found.rms, drift_limit(options.steps))
        report.row(f"{precision}: mean slope per tau_LJ, {N_DRIFTING} replicas", found.slope)
        report.row(f"{precision}: its standard error", found.error)
        report.row(f"{precision}: displacement of the centre of mass, rms", found.moved)


class Drift(NamedTuple):
    """Of E/N: root mean square of its change, mean slope per unit of time and the slope's standard error; `moved` is
    the root mean square displacement of the centre of mass."""

    rms: float
    slope: float
    error: float
    moved: float


def drift_limit(n_steps: int) -> float:
    """Of the root mean square."""
    return 2e-4 + 5e-7 * n_steps * DT


def energy_drift(start: Configuration, device, precision: str, n_steps: int, temperature: float) -> Drift:
    """Of `N_DRIFTING` NVE trajectories from `start`, looked at a hundred times."""
    n_particles = len(start.species)
    velocity = np.stack([maxwell_velocities(n_particles, temperature, 1, 0, k) for k in range(N_DRIFTING)])
    position = np.repeat(start.position[None], N_DRIFTING, axis=0)
    order = spatial_order(start.position, start.box)
    given = (position, velocity, start.species, start.box, LAW, DT, precision)
    dynamics = Dynamics(*given, order=order, device=device)
    energy = [(dynamics.potential_energy + dynamics.kinetic_energy) / n_particles]
    with Progress(SerialWorld(), n_steps, "steps", precision) as progress:
        for _ in range(100):
            dynamics.step(n_steps // 100)
            energy.append((dynamics.potential_energy + dynamics.kinetic_energy) / n_particles)
            progress.advance(n_steps // 100)
    change = np.array(energy) - energy[0]
    slope = np.polyfit(np.arange(101) * n_steps / 100 * DT, change, 1)[0]
    error = slope.std(ddof=1) / np.sqrt(N_DRIFTING)
    moved = np.sqrt(((dynamics.position - position).mean(axis=1) ** 2).sum(axis=1).mean())
    return Drift(float(np.sqrt((change[1:] ** 2).mean())), float(slope.mean()), float(error), float(moved))


def labels(options: argparse.Namespace, report: Report) -> None:
    """Split-half reliability of published labels, averaged over the files."""
    found = []
    for path in options.configuration:
        with np.load(path, allow_pickle=False) as file:
            found.append(sample_labels([file["positions"]], read(path)[0], LAW.n_species))
    print(f"{len(found)} files, {np.mean([2 * len(one['bond']) for one in found]):.0f} directed edges on average")
    for name in ("propensity_reliability", "bond_change_reliability"):
        report.row(name, float(np.mean([one[name][0] for one in found])))


def reference(options: argparse.Namespace, report: Report) -> None:
    """Numbers of LAMMPS for the test suite, which runs without it."""
    start = read(options.configuration[0])[0]
    energy, virial, force = lammps(options).evaluate(start, LAW)
    at_rest = np.zeros_like(start.position)
    ((position, _),) = lammps(options).propagate(start, at_rest, LAW, DT, [100], skin=0.3)
    header = f"energy {energy!r} virial {virial!r}\nfx fy fz, then x y z after 100 steps of {DT} from rest"
    np.savetxt(options.directory / "reference.txt", np.hstack([force, position]), fmt="%.17g", header=header)
    report.row("energy per particle", energy / len(start.species))


def lammps(options: argparse.Namespace) -> Lammps:
    make_own_folder(options.directory)
    return Lammps(options.lammps, options.directory)


@in_one_line(OSError, RuntimeError)
def main() -> int:
    checks = {
        check.__name__: check
        for check in (forces, potentials, trajectory, inherent, thermodynamics, drift, labels, reference)
    }
    parser = OptionParser(
        "python -m tools.validate_md", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("check", choices=checks)
    parser.add_argument(
        "--configuration", nargs="+", type=Path, default=[], help="files of equilibrated configurations"
    )
    parser.add_argument("--lammps", default="lmp", help="LAMMPS executable")
    parser.add_argument("--directory", type=Path, default=Path("validation"), help="where LAMMPS' files go")
    parser.add_argument("--temperature", type=float, default=0.44)
    parser.add_argument("--particles", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=40000)
    parser.add_argument("--device", default="cpu", choices=("cpu", "gpu"), help="of the check of the drift")
    parser.add_argument(
        "--precision", nargs="+", default=PRECISIONS, choices=PRECISIONS, help="of forces, in the check of the drift"
    )
    options = parser.parse_args()
    if options.check != "thermodynamics" and not options.configuration:
        parser.error(f"{options.check} needs --configuration FILE")
    report = Report()
    checks[options.check](options, report)
    return report.verdict()


if __name__ == "__main__":
    sys.exit(main())
