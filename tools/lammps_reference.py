"""Run LAMMPS on our configurations and read its numbers back in full precision.

LAMMPS is an independent code: nothing here is needed to run or test the project, only to compare with it.
Source: A. P. Thompson et al., Comput. Phys. Commun. 271, 108171 (2022), doi:10.1016/j.cpc.2021.108171.
Units: Lennard-Jones (`units lj`).
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mdgen.initial import Configuration
from mdgen.potentials.inverse_power import InversePower
from mdgen.potentials.kob_andersen_force_shifted import ForceShifted
from mdgen.potentials.lennard_jones import LennardJones
from mdgen.potentials.pair import PairLaw, PairPotential
from mdgen.potentials.smoothed_inverse_power import SmoothedInversePower
from runkit.errors import UserError


@dataclass(frozen=True)
class Lammps:
    """The `executable`, run in `directory`, where its input and output files stay to be looked at."""

    executable: str
    directory: Path

    def run(self, name: str, lines: Sequence[str]) -> str:
        """Run these commands and return what they print; raises RuntimeError with LAMMPS' last lines if they fail."""
        script = self.directory / f"{name}.in"
        script.write_text("\n".join(lines) + "\n")
        command = [self.executable, "-in", script.name, "-log", f"{name}.log"]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def evaluate(self, start: Configuration, law: PairPotential) -> tuple[float, float, np.ndarray]:
        """Total energy, virial sum of r·F, and force [n, 3] of a configuration."""
        output = self.run(
            "evaluate",
            [
                *self._system(start, law),
                "compute virial all pressure NULL virial",
                "thermo_style custom step pe c_virial",
                "thermo_modify norm no",
                "run 0",
                *self._dump("evaluate.dump", "fx fy fz"),
                'print "RESULT $(pe:%.17g) $(3*vol*c_virial:%.17g)"',
            ],
        )
        energy, virial = _results(output)[0]
        return energy, virial, self._read_dump("evaluate.dump")

    def propagate(
        self,
        start: Configuration,
        velocity,
        law: PairPotential,
        dt: float,
        n_steps: Sequence[int],
        skin: float,
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Unwrapped position and velocity after each of the ascending `n_steps`, NVE."""
        lines = [*self._system(start, law, velocity, skin), "fix nve all nve", f"timestep {dt}", "run 0"]
        for before, after in zip((0, *n_steps), n_steps, strict=False):
            lines += [f"run {after - before}", *self._dump(f"propagate-{after}.dump", "xu yu zu vx vy vz")]
        self.run("propagate", lines)
        tables = [self._read_dump(f"propagate-{n}.dump") for n in n_steps]
        return [(table[:, :3], table[:, 3:]) for table in tables]

    def minimum(self, start: Configuration, law: PairPotential) -> float:
        """Total energy of the minimum that conjugate gradients find from a configuration."""
        lines = [*self._system(start, law), "thermo_modify norm no", "minimize 0 1e-6 20000 200000"]
        return _results(self.run("minimum", [*lines, 'print "RESULT $(pe:%.17g)"']))[0][0]

    def thermodynamics(
        self, start: Configuration, law: PairPotential, temperature: float, dt: float, n_steps: tuple[int, int, int]
    ) -> np.ndarray:
        """Potential energy per particle (as `units lj` normalises it) and pressure [n, 2], NVT by a Nosé–Hoover chain.

        `n_steps`: to equilibrate, to sample, and between samples.
        """
        equilibrate, sample, every = n_steps
        lines = [
            *self._system(start, law),
            "minimize 0 1e-2 1000 10000",
            f"velocity all create {temperature} 4928459 mom yes dist gaussian",
            f"fix nvt all nvt temp {temperature} {temperature} 0.5",
            f"timestep {dt}",
            f"run {equilibrate}",
            "variable energy equal pe",
            "variable pressure equal press",
            f'fix series all print {every} "${{energy}} ${{pressure}}" file thermodynamics.txt screen no',
            f"run {sample}",
        ]
        self.run("thermodynamics", lines)
        return np.loadtxt(self.directory / "thermodynamics.txt")

    def _system(self, start: Configuration, law: PairPotential, velocity=None, skin: float = 0.3) -> list[str]:
        write_data(self.directory / "start.data", start, law.n_species, velocity)
        return [
            "units lj",
            "atom_style atomic",
            "atom_modify map array",
            "read_data start.data",
            *_pairs(law),
            f"neighbor {skin} bin",
            "neigh_modify every 1 delay 0 check yes",
        ]

    @staticmethod
    def _dump(name: str, columns: str) -> list[str]:
        return [f"write_dump all custom {name} id {columns} modify sort id format float %.17g"]

    def _read_dump(self, name: str) -> np.ndarray:
        return np.loadtxt(self.directory / name, skiprows=9, ndmin=2)[:, 1:]


# Pair styles of LAMMPS for our laws, or formulas as text, which LAMMPS differentiates itself.
STYLES = {LennardJones: "lj/cut", ForceShifted: "lj/smooth/linear"}
TEXTS: dict[type[PairLaw], str] = {
    InversePower: "e*((s/r)^n-(s/c)^n)",
    SmoothedInversePower: "e*((s/r)^n-m2*(s/c)^n+m3*(s/c)^(n+2)*(r/s)^2-m4*(s/c)^(n+4)*(r/s)^4);"
    "m2=(n+2)*(n+4)/8;m3=n*(n+4)/4;m4=n*(n+2)/8",
}


def _pairs(law: PairPotential) -> Iterator[str]:
    """The pair style of a potential for LAMMPS; raises UserError for one that has none here yet."""
    kind, epsilon, sigma, cutoff = type(law.law), law.parameters["epsilon"], law.parameters["sigma"], law.cutoff
    if kind not in STYLES and kind not in TEXTS:
        raise UserError(f"{kind.__name__}: add what LAMMPS calls it to tools/lammps_reference.py")
    yield f"pair_style {STYLES.get(kind, 'lepton')} {law.largest_cutoff!r}"
    for a, b in itertools.combinations_with_replacement(range(law.n_species), 2):
        given = f"{epsilon[a, b]!s} {sigma[a, b]!s}"
        if isinstance(law.law, InversePower):
            numbers = {"e": epsilon[a, b], "s": sigma[a, b], "c": cutoff[a, b], "n": law.law.exponent}
            given = ";".join([TEXTS[kind], *(f"{name}={value!s}" for name, value in numbers.items())])
        yield f"pair_coeff {a + 1} {b + 1} {given} {cutoff[a, b]!s}"
    if kind is LennardJones:
        yield "pair_modify shift yes"


def write_data(path: Path, start: Configuration, n_species: int, velocity=None) -> None:
    """A LAMMPS data file of atom style `atomic`, masses 1, every digit kept."""
    columns = zip((start.species + 1).tolist(), start.position.tolist(), strict=True)
    rows = [f"{i} {kind} {x!r} {y!r} {z!r}" for i, (kind, (x, y, z)) in enumerate(columns, start=1)]
    lines = ["configuration", "", f"{len(rows)} atoms", f"{n_species} atom types", ""]
    lines += [f"0 {edge!r} {axis}lo {axis}hi" for edge, axis in zip(start.box.tolist(), "xyz", strict=True)]
    masses = [f"{kind} 1" for kind in range(1, n_species + 1)]
    lines += ["", "Masses", "", *masses, "", "Atoms # atomic", "", *rows]
    if velocity is not None:
        lines += [
            "",
            "Velocities",
            "",
            *(f"{i + 1} {x!r} {y!r} {z!r}" for i, (x, y, z) in enumerate(velocity.tolist())),
        ]
    path.write_text("\n".join(lines) + "\n")


def _results(output: str) -> list[list[float]]:
    return [[float(x) for x in line.split()[1:]] for line in output.splitlines() if line.startswith("RESULT ")]
