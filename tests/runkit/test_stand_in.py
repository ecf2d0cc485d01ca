"""The stand-in that runs kernels where there is no GPU: what a GPU does not do, it shows or refuses."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from runkit import device
from runkit.device import Gpu
from tests.conftest import ROOT
from tests.shim import StandIn
from tests.shim.device import flags

SUM = """
extern "C" __global__ void __launch_bounds__(256) total(const float* value, float* sum, int n) {
    extern __shared__ float part[];
    int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
    part[t] = i < n ? value[i] : 0.0f;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (t < half) part[t] += part[t + half];
        __syncthreads();
    }
    if (t == 0) atomicAdd(sum, part[0]);
}
extern "C" __global__ void first(const int* value, int* result) {
    if (threadIdx.x == 3) return;  // before a barrier: the others do not wait for it
    result[threadIdx.x] = __syncthreads_or(value[threadIdx.x]) + 10 * __shfl_sync(~0u, value[threadIdx.x], 1);
}
"""


def test_the_stand_in_runs_blocks_with_barriers():
    value, total = np.arange(1000, dtype=np.float32), np.zeros(1, np.float32)
    module = StandIn().compile(SUM)
    module.get_function("total")((4,), (256,), (value, total, np.int32(1000)), shared_mem=1024)
    assert total == 999 * 500
    given, result = np.array([0, 7, 0, 9], np.int32), np.full(4, -1, np.int32)
    module.get_function("first")((1,), (4,), (given, result))
    assert list(result) == [71, 71, 71, -1]


def test_the_stand_in_is_late_with_copies_to_the_host():
    """They read at the last moment that the order of work allows, and what they bring is there after a wait."""
    gpu, source = StandIn(), np.arange(3.0)
    side, out, other = gpu.stream(), gpu.pinned(3, float), gpu.pinned(3, float)
    gpu.to_host(source, other)
    gpu.order(None, side)
    with side:
        gpu.to_host(source, out)
    source += 1
    gpu.order(side, None)
    source += 1
    assert np.isnan(out).all() and np.isnan(other).all()
    gpu.wait()
    assert list(out) == [1, 2, 3] and list(other) == [0, 1, 2]
    out[:] = 7
    with side:
        gpu.wait()
    assert list(out) == [7] * 3
    with gpu.stream(), pytest.raises(AssertionError, match="need not come after"):
        gpu.to_host(source, out)


def test_the_stand_in_shows_races_and_what_was_never_written():
    """Threads in reverse in many launches, memory that is not zero, kernels that run late on other streams."""
    text = """
    extern "C" __global__ void last(int* value, const float* other) {
        extern __shared__ float part[];
        value[0] = threadIdx.x + 2 * blockIdx.x;
        value[1] = part[threadIdx.x] == part[threadIdx.x];
    }
    """
    gpu, value = StandIn(), np.zeros(2, np.int32)
    last, empty = gpu.compile(text).get_function("last"), gpu.xp.empty(1, np.float32)
    assert np.isnan(empty)
    found = [last((3,), (2,), (value, empty), shared_mem=8) or value.tolist() for _ in range(16)]
    assert {tuple(values) for values in found} == {(0, 0), (5, 0)}
    assert all(found[k:] != found[:-k] for k in range(1, 8))
    value[:], side = 7, gpu.stream()
    with side:
        last((3,), (2,), (value, empty), shared_mem=8)
    assert value.tolist() == [7, 7]
    gpu.order(side, None)
    assert value[0] != 7


def test_what_has_arrived_is_forgotten_by_streams_that_wait_for_each_other():
    """Step after step, as where messages travel: what is under way would double each time."""
    gpu, side = StandIn(), StandIn().stream()
    array, here = gpu.xp.zeros(1), gpu.pinned(1, float)
    for _ in range(40):
        gpu.to_host(array, here)
        gpu.order(None, side)
        gpu.wait()
        gpu.order(side, None)
    assert len(side.copies) <= 1


MEET = """
extern "C" __global__ void meet(unsigned* met, int* sum, int* seen) {
    atomicAdd(sum, (int)blockIdx.x + 1);
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(met, 1u);
        while (*(volatile unsigned*)met < gridDim.x) __nanosleep(20);
        __threadfence();
    }
    __syncthreads();
    seen[blockIdx.x * blockDim.x + threadIdx.x] = *sum;
}
"""


def assert_blocks_wait_for_each_other(gpu) -> None:
    """Every thread sees what threads of all blocks have added before they met."""
    kernel, xp = gpu.compile(MEET).get_function("meet"), gpu.xp
    n_blocks = gpu.resident_blocks(kernel, 64)
    met, total, seen = xp.zeros(1, np.uint32), xp.zeros(1, np.int32), xp.zeros(64 * n_blocks, np.int32)
    gpu.launch_together(kernel, (n_blocks,), (64,), (met, total, seen))
    assert n_blocks > 1 and set(gpu.to_host(seen).tolist()) == {32 * n_blocks * (n_blocks + 1)}


def test_blocks_may_wait_for_each_other_where_all_are_resident():
    gpu = StandIn()
    assert_blocks_wait_for_each_other(gpu)
    kernel = gpu.compile(MEET).get_function("meet")
    arrays = np.zeros(1, np.uint32), np.zeros(1, np.int32), np.zeros(64 * 999, np.int32)
    with pytest.raises(AssertionError, match="999 blocks cannot all be resident"):
        gpu.launch_together(kernel, (999,), (64,), arrays)


@pytest.mark.parametrize(
    ("launch", "words"),
    [
        ("kernel((2,), (64,), arrays)", "sleeps in a launch whose blocks need not all be resident"),
        ("gpu.launch_together(kernel, (2,), (64,), arrays)", "all blocks wait for each other"),
    ],
)
def test_the_stand_in_ends_a_program_whose_blocks_wait_in_vain(launch, words):
    """As a GPU would hang: in a launch that does not promise that all run, or for what never comes."""
    text = MEET.replace("< gridDim.x", "< gridDim.x + 1")
    program = f"""
import numpy as np
from tests.shim import StandIn
gpu = StandIn()
kernel = gpu.compile({text!r}).get_function("meet")
arrays = np.zeros(1, np.uint32), np.zeros(1, np.int32), np.zeros(128, np.int32)
{launch}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode < 0 and words in done.stderr


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (lambda gpu, array: gpu.wait(), "wait"),
        (lambda gpu, array: gpu.to_host(array), "a copy that waits"),
        (lambda gpu, array: gpu.xp.zeros(3), "xp.zeros"),
        (lambda gpu, array: gpu.to_host(array, np.zeros(3)), "memory that is not pinned"),
        (lambda gpu, array: gpu.to_device(np.zeros(3), array), "memory that is not pinned"),
        (lambda gpu, array: gpu.order(None, gpu.stream()), "order"),
        (lambda gpu, array: gpu.graph(lambda: None), "graph"),
    ],
)
def test_the_stand_in_refuses_to_record_what_a_gpu_does_not(what, words):
    gpu = StandIn()
    array = gpu.xp.zeros(3)
    with pytest.raises(AssertionError, match=words):
        gpu.graph(lambda: what(gpu, array))
    assert gpu.xp.zeros(3) is not None  # the recording has ended


def test_copies_of_pinned_memory_are_recorded_and_done_when_launched():
    gpu = StandIn()
    array, sent, brought = gpu.xp.arange(3.0), gpu.pinned(3, float), gpu.pinned(3, float)
    brought[:] = 7.0

    def both() -> None:
        gpu.to_host(array, sent)
        gpu.to_device(brought, array)

    graph = gpu.graph(both)
    assert array.tolist() == [0, 1, 2]
    for expected in ([0, 1, 2], [7, 7, 7]):
        graph()
        gpu.wait()
        assert sent.tolist() == expected and array.tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((np.zeros(4), np.zeros(1, np.float32), np.int32(4)), "float64 where elements have 4 bytes"),
        ((np.zeros(4, np.float32), np.zeros(1, np.float32), 4), "int64 for a type of 4 bytes"),
        ((np.zeros(8, np.float32)[::2], np.zeros(1, np.float32), np.int32(4)), "not contiguous"),
        ((np.zeros(4, np.float32), np.int32(4)), "2 arguments, not 3"),
    ],
)
def test_the_stand_in_refuses_arguments_of_other_types_than_declared(arguments, complaint):
    with pytest.raises(AssertionError, match=complaint):
        StandIn().compile(SUM).get_function("total")((1,), (256,), arguments, shared_mem=1024)


def test_the_stand_in_knows_what_a_gpu_knows():
    """The stand-in has every property of a GPU that kernels may read."""

    class Known(dict):
        def __missing__(self, key):
            return 1

    runtime = SimpleNamespace(setDevice=id, getDeviceProperties=lambda i: Known(name=b"X"), deviceGetPCIBusId=str)
    nvrtc = SimpleNamespace(getVersion=lambda: (13, 0), getSupportedArchs=lambda: (90,))
    cuda = SimpleNamespace(runtime=runtime, nvrtc=nvrtc, Device=lambda i: SimpleNamespace(compute_capability="90"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "cupy", lambda: SimpleNamespace(cuda=cuda))
        told = {name for name in vars(Gpu(0)) if not name.startswith("_")}
    methods = {name for name in vars(Gpu) if not name.startswith("_")} - {"n_sharing"}
    assert not {name for name in told | methods if not hasattr(StandIn(), name)} - {"architecture"}


def test_the_stand_in_is_compiled_for_the_processor_that_there_is():
    """Hosts of GPUs are not x86-64 alone; fused multiply-adds round once on all of them."""
    assert not [flag for flag in flags("aarch64") if flag.startswith("-m")]
    assert "-march=x86-64-v3" in flags("x86_64") and set(flags("aarch64")) < set(flags("x86_64"))
    text = 'extern "C" __global__ void f(double* a) { a[0] = fma(a[1], a[1], -1.0); }'
    value = np.array([0.0, 1 + 2.0**-30])
    StandIn().compile(text).get_function("f")((1,), (1,), (value,))
    assert value[0] == 2.0**-29 + 2.0**-60
