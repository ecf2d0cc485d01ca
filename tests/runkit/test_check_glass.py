"""What the checker warns of: files in order whose numbers are not those of an equilibrium liquid."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from runkit.dataset.check import check, main
from tests.isoconfig_factory import write_isoconfig
from tests.renew import renew
from tests.runkit.test_bond_order import crystal


@pytest.fixture
def path(tmp_path):
    """Twelve samples of 108 particles at T = 0.5, with kinetic energies of that temperature."""
    path = write_isoconfig(tmp_path / "a.h5", n_samples=12, n_particles=108)
    with h5py.File(path, "r+") as file:
        start = file["initial_position"][()][:, None, None]
        moved = 0.1 * (file["position"][...] - start)  # of independent jumps: the centre of mass moves with them
        moved -= moved.mean(axis=3, keepdims=True)
        file["position"][...], file["propensity"][...] = start + moved, np.linalg.norm(moved, axis=-1).mean(axis=2)
        file["kinetic_energy"][...] = 0.75 * 107 / 108
        file["inherent_position"][...] += np.random.default_rng(0).normal(0, 0.3, file["inherent_position"].shape)
        file["inherent_energy"][...] = -7.6 + 0.01 * np.random.default_rng(1).normal(size=12)
    return renew(path)


def test_a_liquid_in_equilibrium_gives_no_warning(path, capsys):
    assert main([str(path)]) == 0
    told = capsys.readouterr().out
    assert "warning" not in told and "not checked: whether labels follow" in told
    for what in ("crystalline surroundings", "inherent energy", "kinetic temperature", "drift", "centre of mass"):
        assert what in told


def shift(file, name, value):
    file[name][...] += value


WARNINGS = {
    "not in equilibrium": lambda file: file["potential_energy"].__setitem__((slice(None), -1), 0.74),
    "kinetic temperature at the last time 1.1": lambda file: shift(file, "kinetic_energy", 0.1),
    "drift of total energy 0.02": lambda file: shift(file, "energy_drift", 0.02),
    "displacement of the centre of mass": lambda file: shift(file, "position", 0.05),
    "the inherent energy of sample 3 lies": lambda file: file["inherent_energy"].__setitem__(3, -7.9),
    "more than half of it": lambda file: file["propensity"].__setitem__((2, 1, 5), 4.0),
    "1 of 12 sample(s) crystalline": lambda file: file["inherent_position"].__setitem__(
        4, crystal("fcc", 3, 0.03)[0] / crystal("fcc", 3, 0.03)[1] * file["box"][4]
    ),
}


@pytest.mark.parametrize("told", WARNINGS)
def test_what_is_not_an_equilibrium_liquid_is_told(path, told):
    """One warning that names it; the file is in order all the same."""
    with h5py.File(path, "r+") as file:
        WARNINGS[told](file)
    report = check(renew(path))
    assert report.good and len(report.warnings) == 1 and told in report.warnings[0]
    assert f"warning: {report.warnings[0]}" in str(report)
