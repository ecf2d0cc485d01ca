"""How a GPU goes about molecular dynamics: reciprocals, laws in registers, kicks, lists, what it waits for. All of it
leaves the bits of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from mdgen.dynamics import warm_up
from mdgen.kernels import gpu
from mdgen.thermostats import thermostat
from mdgen.tuning import Tuning
from tests.mdgen.liquid import kob_andersen, lennard_jones
from tests.mdgen.test_gpu import assert_same, many_blocks, one_block, start
from tests.shim import StandIn
from tests.shim.device import Arrays, Stream


@pytest.fixture(params=[one_block, many_blocks])
def device(request):
    return request.param()


# For every mantissa, what becomes of 1 / x by a value `k` units from the nearest one, if that is within a unit.
RECIPROCALS = """
extern "C" __global__ void reciprocals(int k, int exponent, int* n_tried, int* n_wrong, float* last) {
    int m = blockIdx.x * blockDim.x + threadIdx.x;
    float x = __int_as_float((exponent + 127) << 23 | m), nearest = 1.0f / x;
    float y = __int_as_float(__float_as_int(nearest) + k);
    if (fabs(y - 1.0 / x) > ldexp(1.0, ilogb(y) - 23)) return;
    atomicAdd(n_tried, 1);
    if (refined(x, y) == nearest) return;
    atomicAdd(n_wrong, 1);
    last[0] = x, last[1] = y;
}
"""


def reciprocals(k: int, exponent: int) -> tuple[int, int, list[float]]:
    """How many were tried, how many are wrong, and the last wrong one."""
    tried, wrong, last = np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(2, np.float32)
    kernel = StandIn().compile(gpu.source(kob_andersen(), "float32") + RECIPROCALS).get_function("reciprocals")
    kernel((2**23 // 512,), (512,), (np.int32(k), np.int32(exponent), tried, wrong, last))
    return int(tried[0]), int(wrong[0]), last.tolist()


def test_one_correction_rounds_a_reciprocal_rightly_from_any_value_within_a_unit_in_the_last_place():
    """All mantissas, all such values; but for x with all bits and the power of two below 1 / x, which no GPU gives:
    its own division is this correction, and would be wrong."""
    far_below, below, nearest, above, far_above = (reciprocals(k, 0) for k in (-2, -1, 0, 1, 2))
    assert nearest[:2] == (2**23, 0) and above[1] == 0 and below[1:] == (1, [2 - 2**-23, 0.5])
    assert below[0] + above[0] > 2**23
    assert far_below[0] == 0 and far_above[:2] == (1, 0)  # 1, for the number after 1


@pytest.mark.parametrize("exponent", [-126, 125])
def test_one_correction_rounds_rightly_up_to_the_ends_of_the_range(exponent):
    assert reciprocals(0, exponent)[:2] == (2**23, 0)
    assert reciprocals(1, exponent)[1] == 0 and reciprocals(-1, exponent)[1] == 1


def wrong_reciprocals(device, first: int, end: int) -> int:
    """How many numbers, given by their bits, have another reciprocal than the compiler's division gives."""
    text = """
    extern "C" __global__ void reciprocals(int first, int end, int* n_wrong) {
        for (int x = first + blockIdx.x * blockDim.x + threadIdx.x; x < end; x += gridDim.x * blockDim.x)
            if (reciprocal(__int_as_float(x)) != 1.0f / __int_as_float(x)) atomicAdd(n_wrong, 1);
    }
    """
    n_wrong = device.xp.zeros(1, np.int32)
    kernel = device.compile(gpu.source(kob_andersen(), "float32") + text).get_function("reciprocals")
    kernel((1024,), (256,), (np.int32(first), np.int32(end), n_wrong))
    return int(n_wrong[0])


def test_reciprocals_are_those_of_a_division():
    """Here of some numbers, also those whose mantissa has all bits; on a GPU of all (tests/gpu)."""
    for exponent in (1, 127, 251):
        last = (exponent + 2) << 23
        assert wrong_reciprocals(StandIn(), last - (1 << 20), last) == 0


def test_the_stand_in_has_reciprocals_as_rough_as_a_gpu_may():
    """Most are not the nearest value, on either side; so every test of equal bits is one of the correction."""
    text = """
    extern "C" __global__ void rough(const float* x, float* y) { y[threadIdx.x] = rough_reciprocal(x[threadIdx.x]); }
    """
    x, y = np.linspace(0.5, 9, 1000, dtype=np.float32), np.empty(1000, np.float32)
    StandIn().compile(text).get_function("rough")((1,), (1000,), (x, y))
    units = (y - 1 / x.astype(float)) / np.spacing(y)
    assert np.abs(units).max() <= 1 and np.abs(units).max() > 0.99
    assert (units > 0.5).sum() > 200 and (units < -0.5).sum() > 200


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("n_species", [1, 3])
def test_laws_of_one_and_of_many_species_have_the_same_bits(device, n_species, precision):
    """Up to two are in registers, more in memory."""
    random = np.random.default_rng(2)
    kind = np.arange(n_species)
    epsilon, sigma = 1 + 0.3 * np.outer(kind, kind), 0.6 + 0.1 * np.add.outer(kind, kind)
    law = lennard_jones(epsilon, sigma, 2.5 * sigma)
    given = dict(potential=law, species=random.integers(0, n_species, 216), box=[7.2] * 3)
    ours, theirs = (start(each, 2, precision, **given) for each in (device, None))
    for each in (ours, theirs):
        each.step(40)
    assert_same(ours, theirs)
    assert ours.engine._arrays.law.shape[0] == n_species


def test_kernels_for_a_number_of_species_can_be_compiled_ahead(monkeypatch):
    """One and two have the same, more have others."""
    device, compiled = StandIn(), []
    compile_ = device.compile
    monkeypatch.setattr(device, "compile", lambda *text: (compiled.append(text[1]), compile_(*text))[1])
    for n_species in (1, 2, 3):
        one = np.ones((n_species, n_species))
        warm_up(lennard_jones(one, one, 2.5 * one), "float32", device)
    start(device, 1)
    assert compiled == [("-DFEW",), ()]


@pytest.mark.parametrize("coupling", [None, "bussi"])
def test_steps_may_be_asked_for_in_any_portions(device, coupling):
    """One, two and three steps at once: kicks that are done together are where nobody looks between them."""
    ours, theirs = start(device, coupling=coupling), start(None, coupling=coupling)
    for n_steps in (1, 2, 3, 0, 1, 9, 25):
        for each in (ours, theirs):
            each.step(n_steps)
        assert_same(ours, theirs)


TUNINGS = {
    "many blocks for each replica": Tuning(one_block=False),
    "a warp for each replica": Tuning(one_block=True, threads=32),
    "an odd number of warps": Tuning(one_block=True, threads=160),
    "short lists": Tuning(inner_skin=0.15, outer_skin=0.5),
    "long lists": Tuning(inner_skin=0.6, outer_skin=2.0),
}


@pytest.mark.parametrize("coupling", [None, *thermostat.names()])
@pytest.mark.parametrize("tuning", TUNINGS.values(), ids=TUNINGS)
def test_no_bit_depends_on_how_a_gpu_goes_about_it(tuning, coupling):
    ours, theirs = start(StandIn(), coupling=coupling, tuning=tuning), start(None, coupling=coupling)
    for each in (ours, theirs):
        each.step(60)
    assert_same(ours, theirs)
    assert ours.statistics["dangerous_builds"] == 0
    kernels = ours.engine.kernels
    assert tuning.one_block in (None, kernels.one_block) and tuning.threads in (None, kernels.threads)


def test_lists_are_as_long_as_the_tuning_says():
    chosen = [start(StandIn(), tuning=each) for each in (TUNINGS["short lists"], Tuning(), TUNINGS["long lists"])]
    for each in chosen:
        each.step(1)
    short, usual, long = (each.statistics["entries_per_particle"] for each in chosen)
    assert short < usual < long


@pytest.mark.parametrize(
    "shared_bytes, choice, complaint",
    [
        (1 << 17, dict(threads=100), "threads = 100: a multiple of 32 up to 1024"),
        (1 << 17, dict(threads=1056), "threads = 1056"),
        (1 << 17, dict(threads=0), "threads = 0"),
        (1 << 10, dict(one_block=True), "216 particles: .* do not fit"),
    ],
)
def test_a_tuning_that_cannot_be_is_refused(shared_bytes, choice, complaint):
    with pytest.raises(ValueError, match=complaint):
        gpu.Kernels(StandIn(shared_bytes), (2, 216), kob_andersen(), "float32", None, **choice)


def test_the_outer_list_is_asked_about_when_the_inner_one_is_worn_out():
    """Here the outer one wears out 20 times sooner: a block with a replica to itself makes it anew no more
    often than the inner; blocks that share a replica do not wait for each other, and ask in every step."""
    lists = Tuning(inner_skin=0.8, outer_skin=0.84)
    chosen = [lists._replace(one_block=True), lists._replace(one_block=False)]
    alone, shared = (start(StandIn(), tuning=each) for each in chosen)
    theirs = start(None)
    for each in (alone, shared, theirs):
        each.step(100)
    assert_same(alone, theirs)
    assert_same(shared, theirs)
    rare, often = alone.statistics, shared.statistics
    assert rare["n_builds"] == rare["n_prunes"] and 5 * rare["n_builds"] < often["n_builds"]
    assert rare["dangerous_builds"] == often["dangerous_builds"] == 0


class Watched(StandIn):
    """Writes down what the host waits for or sends, and whether that goes on a stream of its own."""

    def __init__(self, **given):
        super().__init__(**given)
        self.done: list[tuple] = []
        self.xp = WatchedArrays(self.done)

    def wait(self):
        self.done.append(("wait",))
        super().wait()

    def to_host(self, array, out=None):
        if out is None:
            self.done.append(("wait",))
        return super().to_host(array, out)

    def to_device(self, array, out):
        self.done.append(("send", array.shape[0], Stream.present[-1] is not Stream.present[0]))
        super().to_device(array, out)


class WatchedArrays(Arrays):
    """Also what is sent by making an array of the device."""

    def __init__(self, done: list):
        self._done = done

    def asarray(self, array, *more):
        self._done.append(("send", np.shape(array), False))
        return np.asarray(array, *more)


@pytest.mark.parametrize("coupling", [None, *thermostat.names()])
@pytest.mark.parametrize("shared_bytes", [1 << 17, 1 << 10])
def test_the_host_waits_for_nothing_and_sends_random_numbers_alone_while_steps_are_asked_for(coupling, shared_bytes):
    """Before the first launch the thermostat's values go there, afterwards they come back: once for each block. A
    snapshot is not waited for either."""
    device = Watched(shared_bytes=shared_bytes)
    ours = start(device, coupling=coupling)
    ours.step(1)
    device.done.clear()
    before = ours.snapshot()
    ours.begin(300)
    sent = (ours.thermostat.constants, ours.thermostat.value) if coupling else ()
    values = [("send", len(each), False) for each in sent]
    draws = coupling and ours.thermostat.draw(0).shape[1]
    numbers = [("send", n, True) for n in (8, 16, 32, 64, 128, 52)] if draws else []
    assert device.done == values + numbers
    device.done.clear()
    ours.finish()
    assert device.done == [("wait",)] * (2 if coupling else 1)
    assert np.isfinite(before.energy_per_particle).all()


def test_random_numbers_are_drawn_once_also_if_steps_are_repeated(monkeypatch):
    """Lists that are full make a block start again, with the numbers that are on the device already."""
    from mdgen import list_capacity

    monkeypatch.setattr(list_capacity, "SPARE", 0.4)
    ours = start(one_block(), coupling="bussi")
    ours.force  # noqa: B018
    engine = ours.engine
    tight = list_capacity.ListCapacity.of(engine._arrays.count[:, 0].max(), 216, 216)
    engine._capacity, engine._arrays = tight, engine._arrays._replace(entries=None)
    engine._arrays = engine._arrays._replace(entries=engine._lists())
    engine._arrays.status[:, gpu.FLAGS] = gpu.PRUNE | gpu.BUILD
    engine.evaluate()
    drawn, draw = [], ours.thermostat.draw
    monkeypatch.setattr(ours.thermostat, "draw", lambda n: (drawn.append(n), draw(n))[1])
    ours.step(100)
    assert engine._capacity.inner > tight.inner and sum(drawn) == 100
