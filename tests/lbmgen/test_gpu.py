"""The GPU back end gives the bits of the CPU back end: the text of its kernels, run behind a stand-in for a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lbmgen import run, simulate
from lbmgen.block import advance, statistics
from lbmgen.collisions import collision
from lbmgen.config import RunConfig
from lbmgen.halo import own_copies
from lbmgen.kernels.gpu.block import setters
from lbmgen.kernels.gpu.in_cache import SHARE, n_together, shared_out, sizes
from lbmgen.kernels.gpu.text import source
from lbmgen.lattices import LATTICES
from lbmgen.layout import Layout
from runkit.config import load
from runkit.dataset.schema import COMPLETE, FAILED
from runkit.errors import UserError
from runkit.mpi import SerialWorld
from tests.files import arrays, assert_same
from tests.lbmgen.flows import FACES, SHAPES, Setting, assert_same_bits, assert_same_flow, ramp
from tests.shim import StandIn
from tests.shim.compile import ARCHITECTURES, resources
from tests.shim.device import Kernel

FORCE = (1e-4, -2e-4, 3e-4)
RUN = (
    "n_cases=3",
    "cases_per_gpu=2",
    "grid.cells=[18, 12]",
    "obstacles.diameter=3",
    "obstacles.upstream=1",
    "obstacles.downstream=2",
    "flow.reynolds=[20, 30]",
    "frames.count=2",
    "frames.every=7",
    "frames.force_every=7",
    "frames.warm_up=0.1",
)


@pytest.fixture(scope="module")
def gpu():
    """One for all tests: kernels are kept with it. Its cache holds dozens of small flows."""
    return StandIn()


@pytest.fixture(scope="module", params=["from the cache", "from memory"])
def either(request):
    """One whose cache holds small flows, and one whose cache holds none."""
    return StandIn(l2_bytes=1 << 22 if request.param == "from the cache" else 0)


@pytest.mark.parametrize(("dtype", "force"), [("float32", None), ("float64", FORCE)])
@pytest.mark.parametrize("law", collision.names())
@pytest.mark.parametrize("lattice", LATTICES)
def test_every_law_has_the_same_bits(either, lattice, law, dtype, force):
    """Collision, streaming, periodic copies, a body and the force on it."""
    assert_same_flow(Setting(lattice, law, dtype, force), either)


@pytest.mark.parametrize("n_steps", [1, 6])
@pytest.mark.parametrize("lattice", ["D2Q9", "D3Q19"])
@pytest.mark.parametrize("faces", FACES)
def test_every_face_has_the_same_bits(either, faces, lattice, n_steps):
    """Moving walls, mirrors, both kinds of outlets, also where they meet."""
    assert_same_flow(Setting(lattice, faces=FACES[faces]), either, n_steps)


def test_the_faintest_numbers_have_the_same_bits(gpu):
    assert_same_front(gpu)


def assert_same_front(gpu) -> None:
    """Before a front that runs into a fluid at rest, numbers fade below the least normal one."""
    rho, found = np.ones((64, 64)), []
    rho[32, 32] += 0.01
    for device in (gpu, None):
        block = Setting(tau=0.8, radius=0.0, shape=rho.shape).block(device)
        block.start(rho, np.zeros((*rho.shape, 2)))
        block.advance(ramp(24))
        found.append(block.arrived())
    ours, theirs = found
    assert ((theirs != 0) & (np.abs(theirs) < np.finfo(np.float32).tiny)).sum() > 50
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("lattice", SHAPES)
@pytest.mark.parametrize("faces", FACES)
def test_walls_and_open_faces_may_be_set_in_any_order(faces, lattice):
    """No link reads what another one writes, and no two write the same place: threads race for nothing.

    Except what open faces follow: where a wall sets it, its number is in a table, and they read what that wall does.
    """
    block = Setting(lattice, faces=FACES[faces], radius=2.9).block()
    links, outlets = block.boundary.links, block.boundary.outlets
    setter, kept = setters(links, outlets.inner), block.boundary.kept
    assert (setters(links, kept.arrived) >= 0).all() and not (len(kept.rest) and len(outlets.law))
    for state in (0, 1):
        written = np.concatenate([links.target[state], outlets.target[state]])
        assert len(np.unique(written)) == len(written) > 0
        read = np.concatenate([links.first[state], links.second[state]])
        assert not np.isin(outlets.left[state], written).any()
        assert not np.isin(read, [*written, *kept.rest]).any()
        told, inner = setter[state] >= 0, outlets.inner[state]
        assert (links.target[state][setter[state][told]] == inner[told]).all()
        assert not np.isin(inner[~told], written).any()
    if (faces, lattice) == ("mirrors", "D2Q9"):
        assert (setter >= 0).any()


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (7, 9), (1, 2, 3), (4, 3, 9)])
def test_periodic_copies_may_be_done_in_any_order(shape):
    """No place is read and written; each has one source."""
    layout = Layout(LATTICES["D2Q9" if len(shape) == 2 else "D3Q27"], shape, "float32")
    copies = own_copies(layout, range(len(shape)))
    for read, written in zip(*copies, strict=True):
        assert len(np.unique(written)) == len(written) == len(read) > 0
        assert not np.isin(read, written).any()


def test_unlike_flows_take_their_steps_together_as_each_does_alone(either):
    """Other rates, bodies, numbers of links, another shape, and one that is a step behind."""
    settings = [
        Setting(faces=FACES["a channel"]),
        Setting(faces=FACES["a channel"], tau=0.9, radius=3.1),
        Setting(faces=FACES["outlets that meet"], radius=0.0),
        Setting(faces=FACES["outlets that meet"], tau=0.7),
        Setting(shape=(10, 24)),
        Setting(faces=FACES["a channel"], tau=0.8),
    ]
    together, alone = [one.block(either) for one in settings], [one.block() for one in settings]
    for block in (together[-1], alone[-1]):
        block.advance(ramp(1))
    scales = np.stack([ramp(5) * (k + 1) / 10 for k in range(len(settings))])
    for found, block, own in zip(advance(together, scales), alone, scales, strict=True):
        np.testing.assert_array_equal(found, block.advance(own))
    for ours, theirs, seen in zip(together, alone, statistics(together, 2), strict=True):
        assert_same_bits(ours, theirs)
        assert seen.excess.tobytes() == statistics([theirs], 2)[0].excess.tobytes()


def launches(monkeypatch) -> list[str]:
    """The names of kernels that are launched from here on."""
    launched, launch = [], Kernel.__call__

    def note(self, *how, **options):
        launched.append(self._name)
        launch(self, *how, **options)

    monkeypatch.setattr(Kernel, "__call__", note)
    return launched


def test_a_step_is_at_most_three_launches_for_any_number_of_flows(monkeypatch):
    """Collision, periodic copies, walls with their mass and open faces; tables without entries launch nothing."""
    gpu, launched = StandIn(l2_bytes=0), launches(monkeypatch)
    for faces, names in (("periodic", ["sweep", "copy", "boundaries"]), ("mirrors", ["sweep", "boundaries"])):
        blocks = [Setting(faces=FACES[faces], tau=tau).block(gpu) for tau in (0.6, 0.7, 0.8)]
        launched.clear()
        advance(blocks, np.ones((3, 5)))
        assert launched == 3 * names  # two are recorded and launched twice, then the last one


def test_flows_in_the_cache_take_all_their_steps_in_one_launch_for_as_many_as_it_holds(monkeypatch):
    """Seven flows, three at a time at most: parts of nearly the same size, with the bits of each flow alone."""
    settings = [Setting(faces=FACES["outlets that meet"], tau=0.55 + k / 20, radius=1 + k / 3) for k in range(7)]
    largest = max(one.block(StandIn()).loaded.n_bytes for one in settings)
    gpu, launched = StandIn(l2_bytes=int(3.5 * largest / SHARE)), launches(monkeypatch)
    together, alone = [one.block(gpu) for one in settings], [one.block() for one in settings]
    for n_steps in (5, 2, 2):
        launched.clear()
        taken = advance(together, np.stack([ramp(n_steps)] * 7))
        assert launched == ["advance_cached"] * 3
        for found, block in zip(taken, alone, strict=True):
            np.testing.assert_array_equal(found, block.advance(ramp(n_steps)))
    for ours, theirs in zip(together, alone, strict=True):
        assert_same_bits(ours, theirs)


def test_work_is_shared_out_so_that_all_have_nearly_the_same():
    assert sizes(64, 9) == [8] * 8 and sizes(7, 3) == [2, 2, 3] and sizes(3, 50) == [3]
    assert shared_out(256, 58) == 52  # five turns, the last one nearly full
    assert shared_out(256, 300) == 256 and shared_out(64, 16) == 16 and shared_out(1, 9) == 1
    parts = [SimpleNamespace(n_bytes=2_650_000)] * 64
    h100, a100, slice_of_one = (SimpleNamespace(l2_bytes=n << 20) for n in (50, 40, 6))
    assert n_together(h100, parts, 528) == 9 and n_together(a100, parts, 432) == 7
    assert n_together(slice_of_one, parts, 60) == 1 and n_together(slice_of_one, parts, 0) == 0


def test_a_flow_may_leave_the_others(gpu):
    """What remains goes on as before, in rounds of any length."""
    settings = [Setting(faces=FACES["outlets that meet"], tau=tau) for tau in (0.6, 0.7, 0.8)]
    together, alone = [one.block(gpu) for one in settings], [one.block() for one in settings]
    advance(together, np.stack([ramp(4)] * 3))
    together.pop(1).free()
    taken = [advance(together, np.stack([ramp(n)] * 2)) for n in (4, 4, 3)]
    for k, block in enumerate((alone[0], alone[2])):
        block.advance(ramp(4))
        for n, found in zip((4, 4, 3), taken, strict=True):
            np.testing.assert_array_equal(found[k], block.advance(ramp(n)))
        assert_same_bits(together[k], block)


def test_a_saved_flow_goes_on_with_the_same_bits(gpu):
    """Also what open faces remember is saved."""
    setting = Setting(faces=FACES["outlets that meet"])
    whole, first, second = setting.block(), setting.block(gpu), replace(setting, radius=2.2).block(gpu)
    for part in (ramp(3), ramp(4)):
        whole.advance(part)
    first.advance(ramp(3))
    second.restore(first.arrived())
    second.advance(ramp(4))
    assert_same_bits(second, whole)


def assert_same_file(directory: Path, monkeypatch, gpu, *settings: str) -> dict[str, np.ndarray]:
    """A run makes the same file on the CPU and on a GPU; returns what it holds."""
    for name, device in (("cpu", None), ("gpu", gpu)):
        monkeypatch.setattr(run, "choose", lambda world, wanted, device=device: device)
        run.generate(SerialWorld(), load(RunConfig, None, [*RUN, *settings, f"output={directory / name}.h5"]))
    assert_same(directory / "cpu.h5", directory / "gpu.h5")
    return arrays(directory / "cpu.h5")


def test_a_run_makes_the_same_file_on_a_gpu(tmp_path, monkeypatch, gpu):
    """Every byte of every field, with cases side by side, a remainder, and random bodies."""
    found = assert_same_file(tmp_path, monkeypatch, gpu)
    assert found["computed"].tolist() == [COMPLETE] * 3 and np.abs(found["forces/drag"]).min() > 0


def test_a_case_that_diverges_leaves_the_others_on_a_gpu(tmp_path, monkeypatch, gpu):
    """A force drives two fluids of unlike viscosity: the thinner one fails, with the same words as on the CPU."""
    faces = ("boundaries.x_low.kind=periodic", "boundaries.x_high.kind=periodic")
    settings = ("n_cases=2", "seed=2", "flow.reynolds=[3, 60]", "flow.force=[2.5e-3, 0]", "frames.count=5")
    found = assert_same_file(tmp_path, monkeypatch, gpu, *faces, *settings)
    assert found["computed"].tolist() == [COMPLETE, FAILED]  # the first case of the two, now the last
    assert b'"case":0' in found["description"][1] and np.isnan(found["t0_fields/density"][1]).all()
    assert found["failure"][1].startswith(b"step 77: the largest velocity is 0.309")


def test_a_domain_that_no_gpu_holds_is_refused_with_what_to_lower(tmp_path, monkeypatch):
    small = StandIn(free_bytes=1000)
    monkeypatch.setattr(run, "choose", lambda world, wanted: small)
    with pytest.raises(UserError, match=r"GiB are needed .* lower grid.cells or grid.refinement"):
        run.generate(SerialWorld(), load(RunConfig, None, [*RUN, f"output={tmp_path}/run.h5"]))


def test_an_unknown_device_is_refused():
    with pytest.raises(UserError, match="device = 'tpu' is not allowed; allowed: auto, cpu, gpu"):
        simulate(np.ones((4, 4)), np.zeros((4, 4, 2)), 0.8, 1, device="tpu")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("law", collision.names())
@pytest.mark.parametrize("lattice", LATTICES)
def test_every_kernel_compiles_and_float32_ones_keep_to_registers(lattice, law, architecture):
    """For real GPUs, in either precision; steps of D2Q9 and D3Q19 leave room for 512 threads or more."""
    of, law = LATTICES[lattice], collision.build(law)
    assert resources(source(of, law, True, "float64"), architecture)
    used = resources(source(of, law, False, "float32"), architecture)
    assert used["sweep"].spilled == 0
    if lattice != "D3Q27":
        assert all(kernel.spilled == 0 for kernel in used.values())
        assert used["sweep"].registers <= 128 and used["advance_cached"].registers <= 128
    if lattice == "D2Q9":
        assert used["advance_cached"].registers <= 64  # four blocks to a multiprocessor
