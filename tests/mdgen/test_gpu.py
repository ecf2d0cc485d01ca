"""The GPU back end gives the bits of the CPU back end: the text of its kernels, run behind a stand-in for a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from mdgen import list_capacity
from mdgen.dynamics import Dynamics
from mdgen.gpu_engine import GpuEngine
from mdgen.initial import melt
from mdgen.kernels import gpu
from mdgen.neighbors import spatial_order
from mdgen.potentials import potential
from mdgen.thermostats import thermostat
from mdgen.velocities import maxwell_velocities
from runkit.errors import UserError
from runkit.rng import stream
from tests.mdgen.liquid import jittered_lattice, kob_andersen, replicas
from tests.shim import StandIn
from tests.shim.compile import ARCHITECTURES, NEWER, is_known, resources

BITS = ("position", "velocity", "force", "potential_energy", "virial", "kinetic_energy")


def one_block():
    """A GPU whose blocks hold a replica."""
    return StandIn()


def many_blocks():
    """A GPU whose blocks are too small for a replica."""
    return StandIn(shared_bytes=1 << 10)


@pytest.fixture(params=[one_block, many_blocks])
def device(request):
    return request.param()


def start(device, n_replicas=3, precision="float32", coupling=None, **more):
    position, velocity, species, box = replicas(n_replicas)
    streams = [stream(1, "thermostat", replica) for replica in range(n_replicas)]
    law = coupling and thermostat.get(coupling)(0.9, 0.1, 0.004, 3 * len(species) - 3, streams)
    given = dict(position=position, velocity=velocity, species=species, box=box, potential=kob_andersen(), dt=0.004)
    return Dynamics(**(given | more), precision=precision, thermostat=law, device=device)


def assert_same(a: Dynamics, b: Dynamics) -> None:
    """All bits of two runs agree."""
    different = [name for name in BITS if not np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True)]
    assert not different


@pytest.mark.parametrize("coupling", [None, *thermostat.names()])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_trajectories_have_the_same_bits(device, precision, coupling):
    """200 steps in two parts, over many new lists, with forces in either precision and every thermostat."""
    ours, theirs = (start(each, precision=precision, coupling=coupling) for each in (device, None))
    for each in (ours, theirs):
        each.step(130)
        each.step(70, dt=0.003)
    assert_same(ours, theirs)
    assert ours.statistics["n_builds"] > 6 and ours.statistics["n_prunes"] > 3 * ours.statistics["n_builds"]
    assert ours.statistics["dangerous_builds"] == 0
    if coupling:
        here, there = ours.thermostat.state(), theirs.thermostat.state()
        assert all(np.array_equal(here[name], there[name]) for name in here)


def test_a_snapshot_shows_what_was_while_the_next_steps_are_taken(device):
    """On a GPU and on the CPU; also one that nobody looks at. Too late is an error on a GPU."""
    ours, theirs = start(device), start(None)
    ours.snapshot()
    for each in (ours, theirs):
        each.step(20)
    before, now = ours.snapshot(), theirs.snapshot()
    for each in (ours, theirs):
        each.begin(20)
    for name in ("position", "potential_energy", "virial", "kinetic_energy", "energy_per_particle"):
        assert np.array_equal(getattr(before, name), getattr(now, name))
    for name in ("position", "velocity", "force"):
        with pytest.raises(RuntimeError, match="under way"):
            getattr(ours, name)
    for each in (ours, theirs):
        each.finish()
    assert_same(ours, theirs)
    with pytest.raises(RuntimeError, match="replaced"):
        before.position  # noqa: B018


def test_the_back_end_does_compute_on_the_device():
    assert isinstance(start(StandIn()).engine, GpuEngine) and not isinstance(start(None).engine, GpuEngine)


def test_systems_of_unlike_size_advance_in_turns():
    assert_same_in_turns(one_block())


def assert_same_in_turns(gpu) -> None:
    """A large system and a small one share a kernel, which has one limit of shared memory."""
    position, velocity, species, _ = replicas(2)
    small = dict(position=position[:, ::2], velocity=velocity[:, ::2], species=species[::2])
    pairs = [(start(gpu, 2), start(None, 2)), (start(gpu, 2, **small), start(None, 2, **small))]
    for pair in 2 * pairs:
        for each in pair:
            each.step(3)
    for pair in pairs:
        assert_same(*pair)


def test_replicas_of_different_systems_advance_together(device):
    """Own species, order and box each; the bits are those of each system alone on the CPU."""
    position, velocity, _, _ = replicas(4)
    box = np.array([[6.5, 6.4, 6.6], [6.5, 6.4, 6.6], [6.4, 6.4, 6.4], [6.7, 6.7, 6.5]])
    species = np.random.default_rng(5).integers(0, 2, (4, 216))
    for replica in range(1, 4):
        position[replica] = jittered_lattice(seed=replica // 2)[0]
    species[0] = species[1]
    order = np.array([spatial_order(one, edges) for one, edges in zip(position, box, strict=True)])
    given = dict(position=position, velocity=velocity, species=species, box=box, order=order)
    ours, together = start(device, 4, **given), start(None, 4, **given)
    for each in (ours, together):
        each.step(60)
    assert_same(ours, together)
    for replica in range(4):
        one = {name: values[replica] for name, values in given.items()}
        alone = start(None, 1, **(one | {name: one[name][None] for name in ("position", "velocity")}))
        alone.step(60)
        assert np.array_equal(alone.position[0], ours.position[replica])


def test_a_run_goes_on_from_position_and_velocity_alone(device):
    one, other = start(device), start(device)
    one.step(50)
    position, velocity = one.position, one.velocity
    one.step(30)
    other.restore(position, velocity)
    other.step(30)
    assert_same(one, other)


@pytest.mark.parametrize("coupling", [None, "bussi"])
def test_lists_that_outgrow_their_capacity_cost_time_and_nothing_else(device, coupling, monkeypatch):
    """Too small a capacity at first, then just enough for the present lists, which is not enough for long."""
    monkeypatch.setattr(list_capacity, "SPARE", 0.4)
    ours, theirs = start(device, coupling=coupling), start(None, coupling=coupling)
    engine, first = ours.engine, ours.engine._capacity
    ours.step(1)
    assert first.inner < engine._capacity.inner
    tight = list_capacity.ListCapacity.of(engine._arrays.count[:, 0].max(), 216, 216)
    engine._capacity = tight
    engine._arrays = engine._arrays._replace(entries=engine._lists())
    engine._arrays.status[:, gpu.FLAGS] = gpu.PRUNE | gpu.BUILD
    engine.evaluate()
    assert engine._capacity == tight
    ours.step(149)
    theirs.step(150)
    assert engine._capacity.inner > tight.inner
    assert_same(ours, theirs)


@pytest.mark.parametrize("coupling", [None, "bussi"])
def test_a_replica_that_blows_up_is_named_and_the_others_go_on(device, coupling):
    """Two particles on top of each other ruin one replica; all see the same, the rest keep their bits."""
    ours, theirs = start(device, 5, coupling=coupling), start(None, 5, coupling=coupling)
    position, velocity = ours.position, ours.velocity
    position[3, 0] = position[3, 1] + 1e-4
    for each in (ours, theirs):
        each.restore(position, velocity)
        each.step(40)
        each.step(40)
    assert ours.blown_up().tolist() == theirs.blown_up().tolist() == [3]
    assert_same(ours, theirs)
    ours.restore(start(None, 5).position, velocity)
    ours.step(1)
    assert ours.blown_up().tolist() == []


@pytest.mark.parametrize("n_particles, n_steps, n_builds, n_prunes", [(16384, 24, 3, 7), (65536, 6, 1, 3)])
def test_systems_that_no_block_holds_have_the_same_bits(n_particles, n_steps, n_builds, n_prunes):
    """Up to the largest that 16 bits count; hot, so that lists are soon worn out."""
    one = melt(n_particles, (0.8, 0.2), 1.2, seed=1, sample=0)
    velocity = maxwell_velocities(n_particles, 8.0, 1, 0, 0)[None]
    given = dict(position=one.position[None], velocity=velocity, species=one.species, box=one.box)
    given["order"] = spatial_order(one.position, one.box)
    ours, theirs = start(StandIn(shared_bytes=227 << 10), 1, **given), start(None, 1, **given)
    assert_same(ours, theirs)
    for each in (ours, theirs):
        each.step(n_steps)
    assert_same(ours, theirs)
    assert not ours.engine.kernels.one_block and ours.engine._arrays.entries.dtype == np.uint16
    count = ours.statistics
    assert count["n_builds"] >= n_builds and count["n_prunes"] >= n_prunes and count["dangerous_builds"] == 0


def test_many_particles_have_lists_of_wider_entries(monkeypatch):
    """The kernels for more than 65536 particles, on a few."""
    monkeypatch.setattr(gpu, "NARROW", 100)
    ours, theirs = start(StandIn()), start(None)
    for each in (ours, theirs):
        each.step(40)
    assert ours.engine._arrays.entries.dtype == np.uint32
    assert_same(ours, theirs)


def test_a_block_has_a_replica_where_blocks_are_enough_and_can_hold_it():
    """On 132 multiprocessors: many replicas have a block each; a few large ones many blocks; small ones always one."""
    device = StandIn()
    device.n_multiprocessors = 132
    cases = {(132, 4096): True, (66, 4096): True, (65, 4096): False, (1, 1024): True, (132, 16384): False}
    assert {shape: gpu.Kernels(device, shape, kob_andersen(), "float32", None).one_block for shape in cases} == cases


# Potentials whose laws differ: those that share one have the same kernels.
LAWS = {law.law: law for law in map(potential.build, potential.names())}
VARIANTS = [
    (("-DFEW",), "float32", None),
    (("-DFEW",), "float64", None),
    (("-DFEW", "-DWIDE"), "float32", None),
    *((("-DFEW",), "float32", name) for name in thermostat.names()),
    ((), "float32", None),  # more than two species
]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("options, precision, coupling", VARIANTS)
def test_kernels_compile_for_real_gpus_and_fit_their_registers(architecture, options, precision, coupling):
    """Threads of a block with a replica to itself keep everything in registers, but for four that the call of
    Nosé–Hoover chains may save, once per step. The law of many species may cost as much, once per particle."""
    law = coupling and thermostat.get(coupling)(0.9, 0.1, 0.004, 645, [stream(1, "thermostat")])
    used = resources(gpu.source(kob_andersen(), precision, law), architecture, options)
    names = {"integrate", "drift", "arrange", "refresh", "push", "descend", "kinetic_energy", "energies", "total"}
    assert names | ({"couple"} if coupling else set()) <= set(used)
    few = 0 if "-DFEW" in options else 16
    assert used["integrate"].spilled <= (16 if coupling == "nose-hoover" else few) and used["push"].spilled <= few
    assert used["refresh"].spilled == used["descend"].spilled == 0
    threads = gpu.MOST_THREADS[precision]
    assert used["integrate"].registers * threads <= 65536 and 0 < used["integrate"].shared <= gpu.STATIC_SHARED


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("law", LAWS.values(), ids=[str(law) for law in LAWS])
def test_kernels_of_every_law_compile_and_fit_their_registers(law, precision):
    used = resources(gpu.source(law, precision), "sm_90", ("-DFEW",))
    assert used["integrate"].spilled == used["push"].spilled == 0
    assert used["integrate"].registers * gpu.MOST_THREADS[precision] <= 65536


@pytest.mark.parametrize("architecture", NEWER)
def test_kernels_compile_for_newer_gpus(architecture):
    if not is_known(architecture):
        pytest.skip(f"the compiler is older than {architecture}")
    used = resources(gpu.source(kob_andersen(), "float32"), architecture, ("-DFEW",))["integrate"]
    assert used.spilled == 0 and used.registers * gpu.MOST_THREADS["float32"] <= 65536


def test_replicas_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"device memory: .* are needed .*lower replicas_per_gpu"):
        start(StandIn(free_bytes=1 << 20), 8)
