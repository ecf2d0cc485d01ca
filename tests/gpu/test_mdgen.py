"""Molecular dynamics on a real GPU: the bits of the CPU."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mdgen import run
from mdgen.config import RunConfig
from mdgen.dynamics import Dynamics
from mdgen.initial import melt
from mdgen.minimize import inherent_structures
from mdgen.neighbors import spatial_order
from mdgen.potentials import potential
from mdgen.thermostats import thermostat
from mdgen.tuning import Tuning
from mdgen.velocities import maxwell_velocities
from runkit.mpi import SerialWorld
from runkit.rng import stream
from tests.mdgen.test_gpu import LAWS, assert_same_in_turns
from tests.mdgen.test_gpu_lists import assert_whole, drawn, made
from tests.mdgen.test_gpu_motion import wrong_reciprocals
from tests.mdgen.test_run_on_gpu import CASE
from tests.mdgen.test_run_on_gpu import assert_same as assert_same_file

LAW, DT = potential.build("kob-andersen"), 0.004
BITS = ("position", "velocity", "force", "potential_energy", "virial", "kinetic_energy")


def crystal(n_particles: int, n_replicas: int) -> SimpleNamespace:
    """A start that melts, with an order in space."""
    start = melt(n_particles, (0.8, 0.2), 1.2, seed=1, sample=0)
    velocity = np.stack([maxwell_velocities(n_particles, 2.0, 1, 0, replica) for replica in range(n_replicas)])
    position = np.repeat(start.position[None], n_replicas, axis=0)
    return SimpleNamespace(
        given=(position, velocity, start.species, start.box), order=spatial_order(start.position, start.box)
    )


def both(gpu, n_particles, n_replicas, precision="float32", coupling=None, **more):
    """The same replicas on the GPU and on the CPU."""
    start = crystal(n_particles, n_replicas)
    for device in (gpu, None):
        streams = [stream(1, "thermostat", replica) for replica in range(n_replicas)]
        law = coupling and thermostat.get(coupling)(1.5, 0.1, DT, 3 * n_particles - 3, streams)
        yield Dynamics(*start.given, LAW, DT, precision, thermostat=law, order=start.order, device=device, **more)


def assert_same(ours: Dynamics, theirs: Dynamics) -> None:
    different = [name for name in BITS if not np.array_equal(getattr(ours, name), getattr(theirs, name))]
    assert not different


@pytest.mark.parametrize("coupling", [None, *thermostat.names()])
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("n_particles, n_replicas", [(500, 5), (4096, 1)])
def test_trajectories_have_the_same_bits(gpu, n_particles, n_replicas, precision, coupling):
    """A block per replica, and one replica over many blocks; 300 steps with many new lists."""
    ours, theirs = both(gpu, n_particles, n_replicas, precision, coupling)
    for each in (ours, theirs):
        each.step(300)
    assert_same(ours, theirs)
    assert ours.statistics["n_builds"] > 3 * n_replicas and ours.statistics["dangerous_builds"] == 0


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("law", LAWS.values(), ids=[str(law) for law in LAWS])
def test_every_law_has_the_same_bits(gpu, law, precision):
    """Formulas as the compiler for GPUs reads them: divisions, roots, multiply-adds; energies too."""
    start = crystal(500, 2)
    position, velocity, species, box = start.given
    given = (position, velocity, species % law.n_species, box, law, DT / 2, precision)
    ours, theirs = (Dynamics(*given, order=start.order, device=device) for device in (gpu, None))
    for each in (ours, theirs):
        each.step(100)
    assert_same(ours, theirs)


@pytest.mark.parametrize("n_particles", [4096, 16384, 65536, 70000])
def test_any_number_of_particles_has_the_same_bits(gpu, n_particles):
    """More than a block holds, and more than 16 bits count."""
    ours, theirs = both(gpu, n_particles, 1)
    for each in (ours, theirs):
        each.step(30)
    assert_same(ours, theirs)


def test_reciprocals_are_rounded_once(gpu):
    """All numbers from 2^-126 up to 2^126, beside the compiler's division."""
    assert wrong_reciprocals(gpu, 1 << 23, 253 << 23) == 0


TUNINGS = [
    *(Tuning(one_block=True, threads=threads) for threads in (32, 512, 640, 1024)),
    Tuning(one_block=False),
    Tuning(inner_skin=0.2, outer_skin=0.8),
]


@pytest.mark.parametrize("coupling", [None, *thermostat.names()])
def test_no_bit_depends_on_how_a_gpu_goes_about_it(gpu, coupling):
    found = []
    for tuning in TUNINGS:
        ours, _ = both(gpu, 4096, 2, coupling=coupling, tuning=tuning)
        ours.step(100)
        found.append((ours.position.tobytes(), ours.velocity.tobytes()))
    assert found == found[:1] * len(TUNINGS)


def test_systems_of_unlike_size_advance_in_turns(gpu):
    assert_same_in_turns(gpu)


def test_many_replicas_have_the_bits_of_a_few(gpu):
    """A full GPU: every 31st of its replicas against the CPU."""
    n_replicas = 2 * gpu.n_multiprocessors
    start = crystal(4096, n_replicas)
    ours = Dynamics(*start.given, LAW, DT, order=start.order, device=gpu)
    chosen = slice(0, n_replicas, 31)
    position, velocity, *rest = start.given
    theirs = Dynamics(position[chosen], velocity[chosen], *rest, LAW, DT, order=start.order)
    for each in (ours, theirs):
        each.step(40)
    assert ours.engine.kernels.one_block
    assert np.array_equal(ours.position[chosen], theirs.position)


@pytest.mark.parametrize("n_particles", [4096, 16384])
def test_snapshots_travel_while_steps_are_taken(gpu, n_particles):
    """A copy that comes too late or does not wait would show other positions; one block for each replica, or many."""
    n_replicas = gpu.n_multiprocessors if n_particles == 4096 else 4
    start = crystal(n_particles, n_replicas)
    moving, still = (Dynamics(*start.given, LAW, DT, order=start.order, device=gpu) for _ in range(2))
    for each in (moving, still):
        each.step(20)
    assert moving.engine.kernels.one_block == (n_particles == 4096)
    for _ in range(5):
        before = moving.snapshot()
        moving.begin(20)
        position, energy = before.position, before.energy_per_particle
        moving.finish()
        assert np.array_equal(position, still.position)
        assert np.array_equal(energy, still.snapshot().energy_per_particle)
        still.step(20)


def test_a_run_makes_the_same_file(gpu, tmp_path, monkeypatch):
    """With snapshots that are written while the next steps are taken, and a thermostat before."""
    paths = []
    for name, device in (("gpu", gpu), ("cpu", None)):
        monkeypatch.setattr(run, "choose", lambda world, wanted, device=device: device)
        paths.append(tmp_path / f"{name}.h5")
        run.generate(SerialWorld(), RunConfig(**{**CASE, "checkpoint_seconds": 300, "output": str(paths[-1])}))
    assert_same_file(*paths)


def test_energy_minima_are_the_same(gpu):
    """Of several samples at once."""
    starts = [melt(n, (0.8, 0.2), 1.2, seed=1, sample=sample) for n in (256, 4096) for sample in range(4)]
    for group in (starts[:4], starts[4:]):
        ours, theirs = inherent_structures(group, LAW, gpu), inherent_structures(group, LAW)
        for one, other in zip(ours, theirs, strict=True):
            assert one.converged and np.array_equal(one.position, other.position) and one.energy == other.energy


@pytest.mark.parametrize("one_block", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_lists_of_any_system_hold_all_neighbours(gpu, seed, one_block):
    """Made by one block, and by many."""
    position, species, box, cutoff, order = drawn(seed)
    precision = ("float32", "float64")[seed // 2 % 2]
    dynamics = made(gpu, one_block, precision, position, species, box, cutoff, order)
    assert_whole(dynamics, species, box, cutoff)
