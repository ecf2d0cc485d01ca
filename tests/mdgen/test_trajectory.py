"""Checkpoints of replicas that advance together."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mdgen.dynamics import Dynamics
from mdgen.thermostats import thermostat
from mdgen.trajectory import Checkpoint
from runkit.checkpoint import load_arrays, save_arrays
from runkit.errors import UserError
from runkit.rng import stream
from tests.mdgen.liquid import kob_andersen, replicas

NAMES = ("a.npz", "b.npz")


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(SimpleNamespace(scratch=tmp_path, to_disk=lambda: None), NAMES, 0.0)


def start(bath: str | None, seed=1):
    """Two replicas of a liquid in a bath (None: without)."""
    position, velocity, species, box = replicas(2)
    streams = [stream(seed, "bath", replica) for replica in range(2)]
    law = bath and thermostat.get(bath)(0.9, 0.1, 0.004, 3 * len(species) - 3, streams)
    return Dynamics(position, velocity, species, box, kob_andersen(), 0.004, thermostat=law)


@pytest.mark.parametrize("bath", [None, *thermostat.names()])
def test_a_resumed_trajectory_is_the_uninterrupted_one(checkpoint, bath):
    whole, resumed = start(bath), start(bath, seed=2)
    whole.step(20)
    checkpoint.save(whole, 3)
    assert checkpoint.resume(resumed) == 3
    for each in (whole, resumed):
        each.step(20)
    assert np.array_equal(whole.position, resumed.position) and np.array_equal(whole.velocity, resumed.velocity)


def with_one_stream(path):
    """As versions wrote it that had one stream of random numbers for each replica."""
    arrays = load_arrays(path)
    save_arrays(path, **{name: arrays[name] for name in arrays if name != "chi_square"}, random=arrays["normal"])


def with_fewer_links(path):
    arrays = load_arrays(path)
    save_arrays(path, **arrays | {"chain_velocity": arrays["chain_velocity"][:2]})


def with_a_bath(path):
    save_arrays(path, **load_arrays(path), heat=np.array(0.0))


@pytest.mark.parametrize(
    "bath, change, names",
    [
        ("bussi", with_one_stream, "chi_square, random"),
        ("nose-hoover", with_fewer_links, "chain_velocity"),
        (None, with_a_bath, "heat"),
    ],
)
def test_a_checkpoint_of_another_form_is_refused_and_nothing_is_moved(checkpoint, tmp_path, bath, change, names):
    """One line that names the file and what is wrong, for the second of two; without the files it starts anew."""
    dynamics = start(bath)
    checkpoint.save(dynamics, 1)
    dynamics.step(5)
    change(tmp_path / NAMES[1])
    position = dynamics.position
    with pytest.raises(UserError, match=rf"b\.npz .*another version .*\({names} not as needed\); delete") as refusal:
        checkpoint.resume(dynamics)
    assert len(str(refusal.value).splitlines()) == 1 and np.array_equal(dynamics.position, position)
    checkpoint.discard()
    assert checkpoint.resume(dynamics) == 0
