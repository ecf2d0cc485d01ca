"""The public functions: what they take, what they refuse, and that they are the physics they say."""

import subprocess
import sys

import numpy as np
import pytest

import mdgen
from mdgen import api
from mdgen.initial import melt
from mdgen.potentials import potential
from mdgen.velocities import maxwell_velocities
from runkit.errors import UserError
from tests.shim import StandIn


def all_pairs(position, species, box, law):
    """Energy, force and virial by every pair and the minimum image."""
    i, j = np.triu_indices(len(position), 1)
    vector = position[j] - position[i]
    vector = vector - np.round(vector / box) * box
    r = np.linalg.norm(vector, axis=1)
    pull = law.force(r, species[i], species[j])
    force = np.zeros_like(position)
    np.add.at(force, j, (pull / r)[:, None] * vector)
    np.add.at(force, i, -(pull / r)[:, None] * vector)
    return law.energy(r, species[i], species[j]).sum(), force, (pull * r).sum()


@pytest.fixture
def liquid():
    """A disordered mixture in a box of three different edges."""
    random = np.random.default_rng(1)
    start = melt(400, (0.8, 0.2), 1.2, seed=2, sample=0)
    stretch = np.array([0.9, 1.0, 1 / 0.9])
    position = (start.position + 0.05 * random.standard_normal((400, 3))) * stretch
    return position, start.species, start.box * stretch


def test_the_package_offers_its_functions():
    assert all(callable(getattr(mdgen, name)) for name in mdgen.__all__)


def test_the_functions_stay_what_they_are_when_the_program_is_loaded():
    """No module of the package hides a public function of its name."""
    code = "import mdgen.run, mdgen.api, mdgen; assert all(callable(getattr(mdgen, name)) for name in mdgen.__all__)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_loads_no_compiler():
    code = "import mdgen, sys; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 2e-4)])
def test_evaluation_is_the_sum_over_all_pairs(liquid, dtype, tolerance):
    position, species, box = liquid
    energy, force, virial = all_pairs(position, species, box, potential.build("kob-andersen"))
    found = mdgen.evaluate(position, species, box, dtype=dtype)
    scale = np.abs(force).max()
    assert found.energy == pytest.approx(energy, rel=max(tolerance, 1e-12))
    assert found.virial == pytest.approx(virial, rel=tolerance)
    np.testing.assert_allclose(found.force, force, atol=tolerance * scale)


def test_two_particles_and_a_number_for_the_box_are_enough():
    law = potential.build("lennard-jones")
    found = mdgen.evaluate([[0.1, 0, 0], [7.1, 0, 0]], [0, 0], 8.0, "lennard-jones")
    assert found.energy == pytest.approx(law.energy(1.0, 0, 0)) and found.virial == pytest.approx(24.0)
    np.testing.assert_allclose(found.force, [[24, 0, 0], [-24, 0, 0]], atol=1e-12)


def test_positions_outside_the_box_have_the_same_energy(liquid):
    position, species, box = liquid
    moved = position + np.random.default_rng(2).integers(-3, 4, position.shape) * box
    inside, outside = mdgen.evaluate(position, species, box), mdgen.evaluate(moved, species, box)
    assert outside.energy == pytest.approx(inside.energy, rel=1e-12)
    np.testing.assert_allclose(outside.force, inside.force, atol=1e-9)


def test_propagation_is_velocity_verlet(liquid):
    """Fifty steps of the textbook algorithm on all pairs give the same positions and velocities; nothing is wrapped."""
    position, species, box = liquid
    law, dt = potential.build("kob-andersen"), 0.002
    velocity = maxwell_velocities(len(position), 1.0, 1, 0, 0)
    found = mdgen.propagate(position, velocity, species, box, dt, 50)
    x, v = position.copy(), velocity.copy()
    force = all_pairs(x, species, box, law)[1]
    for _ in range(50):
        v += dt / 2 * force
        x += dt * v
        force = all_pairs(x, species, box, law)[1]
        v += dt / 2 * force
    np.testing.assert_allclose(found[0], x, atol=1e-10)
    np.testing.assert_allclose(found[1], v, atol=1e-9)


def test_no_step_leaves_everything_where_it_was(liquid):
    position, species, box = liquid
    velocity = maxwell_velocities(len(position), 1.0, 1, 0, 0)
    found = mdgen.propagate(position, velocity, species, box, 0.005, 0)
    np.testing.assert_array_equal(found[0], position)
    np.testing.assert_array_equal(found[1], velocity)


def test_a_trajectory_is_followed_through_its_times(liquid):
    """Each is what `propagate` reaches in as many steps of the same length."""
    position, species, box = liquid
    velocity = maxwell_velocities(len(position), 1.0, 1, 0, 0)
    found = mdgen.follow(position, velocity, species, box, [0.004, 0.01], dt=0.002)
    for row, n_steps in enumerate((2, 5)):
        expected = mdgen.propagate(position, velocity, species, box, 0.002, n_steps)[0]
        np.testing.assert_allclose(found[row], expected, atol=1e-12)
    with pytest.raises(UserError, match=r"velocity: finite values of the shape of position"):
        mdgen.follow(position, velocity[1:], species, box, [0.01])


def test_propensity_is_the_replica_mean_of_propagated_displacements(liquid):
    """The same velocities through `propagate`, one replica at a time."""
    position, species, box = liquid
    times = (0.01, 0.05)
    found = mdgen.isoconfigurational(position, species, box, 0.5, times, n_replicas=3, seed=7, dt=0.002)
    expected = np.zeros((2, len(position)))
    for replica in range(3):
        velocity = maxwell_velocities(len(position), 0.5, 7, 0, replica)
        for row, n_steps in enumerate((5, 25)):
            moved = mdgen.propagate(position, velocity, species, box, 0.002, n_steps)[0] - position
            expected[row] += np.linalg.norm(moved, axis=1) / 3
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_trajectories_are_those_whose_displacements_are_averaged(liquid):
    position, species, box = liquid
    run = dict(temperature=0.5, times=(0.01, 0.05), n_replicas=3, seed=7, dt=0.002)
    reached = list(mdgen.trajectories(position, species, box, **run))
    assert [one.shape for one in reached] == [(3, *position.shape)] * 2
    moved = [np.linalg.norm(one - position, axis=2).mean(axis=0) for one in reached]
    np.testing.assert_allclose(moved, mdgen.isoconfigurational(position, species, box, **run), atol=1e-12)


def test_replicas_beyond_one_group_are_all_averaged():
    """40 replicas are the mean of the first 32 and the last 8."""
    position, species, box = np.array([[1.0, 1, 1], [2.2, 1, 1]]), [0, 0], 8.0
    run = dict(temperature=0.5, times=[0.05], seed=3, potential="lennard-jones")
    all_of_them = mdgen.isoconfigurational(position, species, box, n_replicas=40, **run)
    moved = []
    for replica in range(40):
        velocity = maxwell_velocities(2, 0.5, 3, 0, replica)
        end = mdgen.propagate(position, velocity, species, box, 0.005, 10, "lennard-jones")[0]
        moved.append(np.linalg.norm(end - position, axis=1))
    np.testing.assert_allclose(all_of_them[0], np.mean(moved, axis=0), atol=1e-12)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"box": 4.9}, "box edge 4.9 .* at least 5"),
        ({"box": [8.0, 8.0]}, "three positive edges"),
        ({"species": [0, 2]}, "species 2"),
        ({"species": [0]}, "position"),
        ({"position": [[0.0, 0, np.nan], [1, 0, 0]]}, "particle 0"),
        ({"potential": "kob-anderson"}, "did you mean 'kob-andersen'"),
        ({"dtype": "float16"}, "dtype = 'float16'"),
    ],
)
def test_wrong_input_is_refused_by_name(change, complaint):
    sound = {"position": [[0.0, 0, 0], [1.1, 0, 0]], "species": [0, 1], "box": 8.0}
    mdgen.evaluate(**sound)
    with pytest.raises(UserError, match=complaint):
        mdgen.evaluate(**(sound | change))


@pytest.mark.parametrize("function", [mdgen.isoconfigurational, mdgen.trajectories])
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"times": []}, "times"),
        ({"times": [1.0, 0.5]}, "times"),
        ({"n_replicas": 0}, "n_replicas = 0"),
        ({"temperature": -1.0}, "temperature = -1"),
        ({"dt": 0.0}, "dt = 0"),
    ],
)
def test_wrong_settings_of_an_ensemble_are_refused_by_name(function, change, complaint):
    sound = {"temperature": 0.5, "times": [0.01], "n_replicas": 2, "seed": 1}
    with pytest.raises(UserError, match=complaint):
        function([[0.0, 0, 0], [1.1, 0, 0]], [0, 1], 8.0, **(sound | change))


SOFT = {"exponent": 18, "sigma": [1.0, 0.9, 0.8], "cutoff": 1.8}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_all_functions_take_the_same_potential_parameters_precision_and_device(dtype, monkeypatch):
    """By its name and parameters or as it is built, on the CPU or a GPU: the same bits."""
    monkeypatch.setattr(api, "Gpu", StandIn)
    start = melt(64, (0.5, 0.5), 1.0, seed=2, sample=0)
    built, velocity = potential.build("inverse-power", **SOFT), maxwell_velocities(64, 0.5, 1, 0, 0)
    calls = {
        mdgen.evaluate: {},
        mdgen.propagate: {"velocity": velocity, "dt": 0.002, "n_steps": 5},
        mdgen.isoconfigurational: {"temperature": 0.5, "times": [0.01], "n_replicas": 2, "seed": 1},
    }
    for function, more in calls.items():
        given = dict(position=start.position, species=start.species, box=start.box, dtype=dtype, **more)
        found = [
            function(**given, potential="inverse-power", parameters=SOFT),
            function(**given, potential=built),
            function(**given, potential="inverse-power", parameters=SOFT, device=StandIn()),
        ]
        first, *others = [one.force if function is mdgen.evaluate else one for one in found]
        assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"parameters": {"exponnt": 12}}, "exponnt.*did you mean 'exponent'"),
        ({"parameters": {"exponent": 3}}, "exponent = 3; allowed: even integers"),
        ({"parameters": [12]}, r"parameters = \[12\]: a dict"),
        ({"potential": potential.build("inverse-power"), "parameters": {"exponent": 12}}, "PairPotential has its own"),
    ],
)
def test_wrong_parameters_of_a_potential_are_refused_by_name(change, complaint):
    sound = {"position": [[0.0, 0, 0], [1.1, 0, 0]], "species": [0, 1], "box": 8.0, "potential": "inverse-power"}
    with pytest.raises(UserError, match=complaint):
        mdgen.evaluate(**(sound | change))
