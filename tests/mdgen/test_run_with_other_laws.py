"""Potentials that are not Lennard-Jones pass every stage: melt, equilibration, production, labels, check."""

from __future__ import annotations

import numpy as np
import pytest

from mdgen.config import RunConfig
from mdgen.run import generate
from runkit.config import load
from runkit.dataset.check import check
from runkit.dataset.reader import Dataset
from runkit.dataset.schema import COMPLETE
from runkit.mpi import SerialWorld

CASE = (
    "seed=3",
    "system.n_particles=160",
    "system.temperature=0.8",
    "system.composition=[0.5, 0.5]",
    "integrator.dt=0.002",
    "initial.melt_time=0.2",
    "initial.cooling_time=0.3",
    "initial.hold_time=0.3",
    "production.n_samples=1",
    "production.n_replicas=3",
    "production.times=[0.05, 0.4]",
)
LAWS = {
    "inverse-power": ("exponent=12", "sigma=[1.0, 1.1, 1.2]", "cutoff=2.0"),
    "smoothed-inverse-power": ("exponent=12", "sigma=[1.0, 1.18, 1.4]"),
    "weeks-chandler-andersen": ("sigma=[1.0, 1.1, 1.2]",),
    "kob-andersen-force-shifted": (),
}
DENSITY = {"smoothed-inverse-power": 0.65, "kob-andersen-force-shifted": 1.2}


@pytest.mark.parametrize("name", LAWS)
def test_a_case_file_with_this_law_gives_a_sound_data_set(name, tmp_path):
    (tmp_path / "case.toml").write_text(f'[system]\npotential = "{name}"\n')
    parameters = (f"system.parameters.{one}" for one in LAWS[name])
    density, output = f"system.density={DENSITY.get(name, 0.8)}", f"output={tmp_path / 'out.h5'}"
    config = load(RunConfig, tmp_path / "case.toml", [*CASE, *parameters, density, output])
    assert generate(SerialWorld(), config) == 0
    assert check(tmp_path / "out.h5").good
    with Dataset(tmp_path / "out.h5") as file:
        assert np.all(file["propagated"][...] == COMPLETE)
        assert np.abs(file["energy_drift"][...]).max() < 5e-3
        assert np.all(file["inherent_energy"][...] < file["initial_energy"][...])
        assert np.all(file["propensity"][0, -1] > file["propensity"][0, 0].min())
