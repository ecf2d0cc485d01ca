"""Physical checks of glass: lines for the card of an ISOCONFIG file, and warnings.

A file with a warning is not broken, but its data may not be what a reader expects, such as an equilibrium liquid.
Units: Lennard-Jones.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import starmap

import numpy as np

from runkit.arrays import Array
from runkit.dataset.bond_order import crystalline_fraction
from runkit.dataset.contract import Finding
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE

AGEING = 0.005  # change of potential energy per particle over production that needs an explanation …
STANDARD_ERRORS = 4  # … if it is so many standard errors from none
WRONG_TEMPERATURE = 0.03  # relative to the one wanted
DRIFT = 0.01  # of total energy per particle, relative to the temperature
CRYSTAL = 0.25  # share of particles in crystalline surroundings; a supercooled liquid has a few per cent
APART = 8  # robust standard deviations of an inherent energy from the median of all
CENTRE_OF_MASS = 0.05  # its displacement, relative to the mean propensity


def findings(dataset: Dataset) -> Iterator[Finding]:
    """The physical checks of an ISOCONFIG file."""
    return starmap(Finding, _findings(dataset))


def _findings(dataset: Dataset) -> Iterator[tuple[str, str]]:
    done = np.flatnonzero(dataset["equilibrated"][()] == COMPLETE)
    if len(done) and "inherent_position" in dataset:
        yield _crystals(dataset, done)
    if len(done) and "inherent_energy" in dataset:
        yield _inherent_energies(dataset["inherent_energy"][()][done], done)
    propagated = dataset["propagated"][()] == COMPLETE
    if not propagated.any():
        return
    if "potential_energy" in dataset and dataset.sizes["time"] > 1:
        yield _ageing(dataset["potential_energy"][()], propagated)
    if "kinetic_energy" in dataset:
        yield _temperature(dataset, propagated)
    if "energy_drift" in dataset:
        yield _drift(dataset, propagated)
    labelled = np.flatnonzero(dataset["labelled"][()] == COMPLETE)
    if len(labelled) and "position" in dataset:
        yield _centre_of_mass(dataset, labelled)
    if len(labelled):
        yield _propensity(dataset, labelled)


def _crystals(dataset: Dataset, samples: Array) -> tuple[str, str]:
    share = np.array([crystalline_fraction(dataset["inherent_position"][i], dataset["box"][i]) for i in samples])
    worst, n_crystals = int(np.argmax(share)), int(np.sum(share > CRYSTAL))
    most = f"at most {share[worst]:.1%} (sample {samples[worst]})"
    message = f"crystalline surroundings: {share.mean():.1%} of particles, {most}"
    return message, f"{n_crystals} of {len(samples)} sample(s) crystalline: {message}" if n_crystals else ""


def _inherent_energies(energy: Array, samples: Array) -> tuple[str, str]:
    middle = np.median(energy)
    spread = 1.4826 * np.median(np.abs(energy - middle))
    far = samples[np.abs(energy - middle) > APART * spread] if len(energy) > 4 else samples[:0]
    return f"inherent energy {energy.mean():.4f}, spread {energy.std():.4f}", (
        f"the inherent energy of sample {far[0]} lies {APART} robust standard deviations or more from the others"
        if len(far)
        else ""
    )


def _ageing(energy: Array, propagated: Array) -> tuple[str, str]:
    """Between the first and the last time, of replicas that are there at both."""
    change = np.array([row[-1, there].mean() - row[0, there].mean() for row, there in _rows(energy, propagated)])
    error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 2 else np.nan
    mean = change.mean()
    message = f"potential energy changes by {mean:+.4f} over production" + (f" ± {error:.4f}" if error >= 0 else "")
    is_ageing = abs(mean) > AGEING and not abs(mean) <= STANDARD_ERRORS * error
    return message, f"{message}: the samples are not in equilibrium" if is_ageing else ""


def _temperature(dataset: Dataset, propagated: Array) -> tuple[str, str]:
    n, wanted = dataset.sizes["particle"], dataset["temperature"][()]
    kinetic = dataset["kinetic_energy"][()]
    found = [
        2 * row[-1, there].mean() * n / (3 * n - 3) / target
        for (row, there), target in zip(_rows(kinetic, propagated), wanted[propagated.any(axis=1)], strict=True)
    ]
    ratio = float(np.mean(found))
    message = f"kinetic temperature at the last time {ratio:.3f} of the one wanted"
    # One value of a replica scatters by sqrt(2 / 3n); their mean by less.
    scatter = STANDARD_ERRORS * np.sqrt(2 / (3 * n) / propagated.sum())
    return message, message if abs(ratio - 1) > WRONG_TEMPERATURE + scatter else ""


def _drift(dataset: Dataset, propagated: Array) -> tuple[str, str]:
    drift = dataset["energy_drift"][()][propagated]
    rms, temperature = float(np.sqrt((drift**2).mean())), float(np.median(dataset["temperature"][()]))
    message = f"drift of total energy {rms:.2g} rms, {np.abs(drift).max():.2g} at most, per particle"
    return message, f"{message}: more than {DRIFT:.0%} of the temperature" if rms > DRIFT * temperature else ""


def _centre_of_mass(dataset: Dataset, samples: Array) -> tuple[str, str]:
    """It should stay where it is: forces in single precision let it wander."""
    ratio = []
    for i in samples:
        moved = dataset["position"][i, -1].astype(float) - dataset["initial_position"][i]
        ratio.append(np.sqrt((moved.mean(axis=1) ** 2).sum(axis=-1).mean()) / dataset["propensity"][i, -1].mean())
    worst = float(np.max(ratio))
    message = f"displacement of the centre of mass {worst:.1e} of the propensity at the last time, at most"
    return message, message if worst > CENTRE_OF_MASS else ""


def _propensity(dataset: Dataset, samples: Array) -> tuple[str, str]:
    """Wrapped trajectories look as if nothing had moved farther than half an edge."""
    reach = [float(dataset["propensity"][i].max() / dataset["box"][i].min()) for i in samples]
    message = f"largest propensity {max(reach):.3f} of a box edge"
    return message, f"{message}: more than half of it" if max(reach) > 0.5 else ""


def _rows(values: Array, propagated: Array) -> Iterator[tuple[Array, Array]]:
    """[time, replica] of each sample that has a complete replica, and which these are."""
    for i in np.flatnonzero(propagated.any(axis=1)):
        yield values[i], propagated[i]
