"""Relaxation between the times that a file holds: a few of its configurations are simulated anew, as far as is cheap.

Units: Lennard-Jones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import mdgen
from mdgen.observables import displacement, species_averages
from mdgen.velocities import maxwell_velocities
from runkit.dataset.reader import Dataset

MOST_WORK = 4e7  # atom-steps: some seconds of one core
MOST_SAMPLES = 16
PER_DECADE = 8
AVERAGES = "mean_squared_displacement", "self_scattering", "overlap"  # as `Curves` has them


@dataclass(frozen=True)
class Curves:
    """Averages [time, species] over one trajectory from each of `n_samples` configurations."""

    time: np.ndarray
    n_samples: int
    mean_squared_displacement: np.ndarray
    self_scattering: np.ndarray
    overlap: np.ndarray


def curves(data: Dataset, samples: np.ndarray) -> Curves | None:
    """Averages up to the last stored time, or as far as is cheap; None if the file does not say how it was made."""
    system, label = data.config.get("system", {}), data.config.get("label", {})
    dt = data.config.get("integrator", {}).get("dt")
    if "potential" not in system or "wave_number" not in label or not dt:
        return None
    affordable = int(MOST_WORK / data.sizes["particle"])
    steps = min(round(float(data["time"][-1]) / dt), affordable)
    if steps < 2 * PER_DECADE:
        return None
    n_samples = min(MOST_SAMPLES, len(samples), affordable // steps)
    at = np.unique(np.geomspace(2, steps, 1 + round(PER_DECADE * np.log10(steps / 2))).round().astype(int))
    rows = [_of_sample(data, int(sample), at, dt, label["wave_number"]) for sample in samples[:n_samples]]
    return Curves(at * dt, n_samples, *np.mean(rows, axis=0))


def _of_sample(data: Dataset, sample: int, at: np.ndarray, dt: float, wave_number: float) -> np.ndarray:
    """Mean squared displacement, F_s and overlap [3, time, species] of one trajectory."""
    system = data.config["system"]
    species, box = data["species"][sample], data["box"][sample]
    start = position = data["initial_position"][sample]
    velocity = maxwell_velocities(len(start), float(data["temperature"][sample]), 0, sample)
    rows = []
    for n_steps in np.diff(at, prepend=0):
        position, velocity = mdgen.propagate(
            position, velocity, species, box, dt, int(n_steps), system["potential"], "float32",
            parameters=system.get("parameters"),
        )  # fmt: skip
        moved = displacement(position, start)
        averages = [species_averages(moved[species == one], wave_number) for one in range(data.sizes["species"])]
        rows.append([[of_species[name] for of_species in averages] for name in AVERAGES])
    return np.moveaxis(np.array(rows), 1, 0)
