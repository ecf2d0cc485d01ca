"""What a run says of itself before it runs."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mdgen import gpu_engine
from mdgen.config import RunConfig
from mdgen.dynamics import Dynamics
from mdgen.initial import melt
from mdgen.plan import ONE_SYSTEM, TOGETHER, show
from mdgen.resolve import potential_of
from runkit.dataset.layout import in_units
from runkit.errors import UserError
from runkit.progress import duration
from tests.shim import StandIn

CASE = {
    "replicas_per_gpu": 12,
    "system": {"n_particles": 160},
    "production": {"n_samples": 5, "n_replicas": 4, "times": (0.1, 1.0)},
    "initial": {"melt_time": 1.0, "cooling_time": 2.0, "hold_time": 3.0},
}


@pytest.fixture
def shown(capsys):
    """The lines about a case on a device, by their names."""

    def on(device: str) -> dict[str, str]:
        show(RunConfig(**CASE, device=device))
        return dict(re.findall(r"^# (\w+) +(.*)$", capsys.readouterr().out, re.MULTILINE))

    return on


def test_groups_and_time_are_told_for_the_cpu(shown):
    lines = shown("cpu")
    assert lines["work"] == "5 samples, then 20 replicas, up to 4 together"
    assert lines["ranks"] == "1, each with 5 samples, then 20 replicas"
    cooling, production = 5 * 160 * 1200, 5 * 160 * 4 * 200
    seconds = cooling / ONE_SYSTEM + production / TOGETHER
    assert lines["cost"] == f"{cooling + production:.3g} atom-steps, about {duration(seconds)} on these ranks"
    assert "gpu" not in lines


def test_groups_are_larger_on_a_gpu_where_no_rate_is_known(shown):
    lines = shown("gpu")
    assert lines["work"] == "5 samples, then 20 replicas, up to 10 together"
    assert re.fullmatch(r"1.6e\+06 atom-steps; no rate of a GPU has been measured .*", lines["cost"])


def test_both_are_told_where_it_is_not_known_what_there_will_be(shown):
    lines = shown("auto")
    assert lines["work"] == shown("cpu")["work"] and lines["cost"] == shown("cpu")["cost"] + " without GPUs"
    memory = shown("gpu")["gpu"].removesuffix(" for the largest group of a rank")
    assert lines["gpu"] == f"if every rank finds one: up to 10 replicas together, {memory}"


def test_the_memory_of_a_gpu_is_what_will_be_asked_for(shown, monkeypatch):
    asked = []
    monkeypatch.setattr(gpu_engine, "need", lambda device, n_bytes, advice: asked.append(n_bytes))
    config = RunConfig(**CASE)
    start = melt(160, config.system.composition, config.system.density, seed=1, sample=0)
    position = np.repeat(start.position[None], 10, axis=0)
    Dynamics(position, 0 * position, start.species, start.box, potential_of(config), 0.005, device=StandIn())
    assert shown("gpu")["gpu"].startswith(f"{in_units(asked[0])} of its memory")


def test_bonds_longer_than_half_the_box_are_refused():
    """Beyond that a pair has two nearest images."""
    with pytest.raises(UserError, match=r"label.bond_cutoff = 3; allowed: up to 2.55\d, half the box edge"):
        show(RunConfig(**CASE, label={"bond_cutoff": 3.0}))


@pytest.mark.parametrize("density", [1.2, 0.85, 0.7, 1.0, 1.204])
def test_the_smallest_number_of_particles_that_a_refusal_names_is_taken(density):
    def refusal(n_particles: int) -> str:
        config = RunConfig.model_validate({"system": {"n_particles": n_particles, "density": density}})
        try:
            return str(potential_of(config) and "")
        except UserError as error:
            return str(error)

    (least,) = map(int, re.findall(r"allowed: (\d+) or more", refusal(20)))
    assert not refusal(least) and refusal(least - 1)
