"""What the door to CuPy promises, on a real GPU."""

from __future__ import annotations

import numpy as np

from runkit.device import Gpu
from tests.runkit.test_stand_in import assert_blocks_wait_for_each_other

QUARTER = """
extern "C" __global__ void quarter(const float* value, float* result) {
    result[threadIdx.x] = value[threadIdx.x] * 0.25f;
}
"""


def test_numbers_below_the_least_normal_one_are_kept(gpu):
    """CuPy compiles so that they become zero."""
    value = np.array([2e-38, -1e-39, 3e-44, 1.0], np.float32)
    result = gpu.xp.zeros(4, np.float32)
    gpu.compile(QUARTER).get_function("quarter")((1,), (4,), (gpu.xp.asarray(value), result))
    assert gpu.to_host(result).tobytes() == (value * np.float32(0.25)).tobytes()


def test_what_is_known_of_a_gpu_is_plausible(gpu):
    assert gpu.name and gpu.identity == Gpu(gpu.index).identity
    assert 0 < gpu.free_bytes <= gpu.xp.cuda.runtime.memGetInfo()[1]
    assert gpu.shared_bytes >= 64 << 10 and gpu.n_multiprocessors > 1 and 5e8 < gpu.clock < 5e9
    assert 64 << 10 <= gpu.shared_bytes <= gpu.shared_bytes_per_multiprocessor <= 1 << 20 <= gpu.l2_bytes


def test_a_graph_does_again_what_was_recorded_and_nothing_while_it_is(gpu):
    array = gpu.xp.ones(1, np.float32)
    kernel = gpu.compile(QUARTER).get_function("quarter")
    launch = gpu.graph(lambda: kernel((1,), (1,), (array, array)))
    assert gpu.to_host(array) == 1
    for _ in range(3):
        launch()
    assert gpu.to_host(array) == 0.25**3


def test_blocks_may_wait_for_each_other_where_all_are_resident(gpu):
    assert_blocks_wait_for_each_other(gpu)


def test_copies_of_pinned_memory_are_recorded_and_done_when_launched(gpu):
    array, sent, brought = gpu.xp.arange(3.0), gpu.pinned(3, np.float64), gpu.pinned(3, np.float64)
    brought[:] = 7.0

    def both() -> None:
        gpu.to_host(array, sent)
        gpu.to_device(brought, array)

    graph = gpu.graph(both)
    for expected in ([0, 1, 2], [7, 7, 7]):
        graph()
        gpu.wait()
        assert sent.tolist() == expected and gpu.to_host(array).tolist() == [7, 7, 7]


def test_streams_wait_where_they_are_told_to(gpu):
    """A copy to the host begins after what it is to bring, and takes long enough for what follows to overtake it."""
    n = 1 << 24
    array, side, here = gpu.xp.zeros(n), gpu.stream(), gpu.pinned(n, np.float64)
    for k in range(3):
        array += 1
        there = array.copy()
        gpu.order(None, side)
        with side:
            gpu.to_host(there, here)
        array += 1
        with side:
            gpu.wait()
        assert (here == 2 * k + 1).all()


def test_machine_code_loads_from_the_file_it_is_kept_in(gpu, tmp_path, monkeypatch):
    """Once when it is made, once when it is found."""
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    value, result = gpu.xp.ones(4, np.float32), gpu.xp.zeros(4, np.float32)
    for _ in range(2):
        gpu.compile(QUARTER).get_function("quarter")((1,), (4,), (value, result))
        assert gpu.to_host(result).tolist() == [0.25] * 4
    assert len(list(tmp_path.iterdir())) == 1
    ptx = Gpu(gpu.index)
    ptx.architecture = ptx.architecture.replace("sm_", "compute_")
    ptx.compile(QUARTER).get_function("quarter")((1,), (4,), (value, result))
    assert gpu.to_host(result).tolist() == [0.25] * 4 and len(list(tmp_path.iterdir())) == 2
