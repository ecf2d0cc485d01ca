"""Times of work on a GPU, by its own clock or the host's, and the rate of copies in its memory; or of the stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

COPIED = 1 << 31  # bytes of an array that no cache holds
SHARE = 0.5  # of the cache, for two arrays that are to lie in it
TIMES = 200  # that they are copied to and fro by one launch
AGAIN = """
extern "C" __global__ void __launch_bounds__(256) again(int4* one, int4* other, unsigned n, int times) {
    for (int time = 0; time < times; ++time) {
        const int4* from = time % 2 ? other : one;
        int4* to = time % 2 ? one : other;
        for (unsigned k = blockIdx.x * blockDim.x + threadIdx.x; k < n; k += gridDim.x * blockDim.x)
            __stcg(to + k, __ldcg(from + k));
    }
}
"""


def seconds(device: Any, function: Callable[[], Any], n_calls: int = 1, turns: int = 3) -> float:
    """Of one call: the least of `turns`, each the mean of `n_calls` by the clock of the device, after none."""
    timer = _by_events if hasattr(device.xp, "cuda") else _by_the_host
    return min(timer(device, function, n_calls) for _ in range(turns))


def _by_events(device: Any, function: Callable[[], Any], n_calls: int) -> float:
    cuda = device.xp.cuda
    first, last = cuda.Event(), cuda.Event()
    first.record()
    for _ in range(n_calls):
        function()
    last.record()
    last.synchronize()
    return float(cuda.get_elapsed_time(first, last)) / 1e3 / n_calls


def _by_the_host(device: Any, function: Callable[[], Any], n_calls: int) -> float:
    began = time.perf_counter()
    for _ in range(n_calls):
        function()
    device.wait()
    return (time.perf_counter() - began) / n_calls


def wall(device: Any, function: Callable[[], Any], n_calls: int = 1) -> float:
    """Seconds of one call as the host sees them, until the device is done."""
    device.wait()
    return _by_the_host(device, function, n_calls)


def copy_rate(device: Any, n_bytes: int = COPIED) -> float:
    """B/s of an array that is copied on the device, read and written; its numbers are not alike, as those of a run."""
    source = device.xp.arange(n_bytes // 4, dtype=np.uint32)
    source *= np.uint32(2654435761)
    target = device.xp.zeros_like(source)

    def copy() -> None:
        target[...] = source

    copy()
    return 2 * n_bytes / seconds(device, copy, 10)


def cache_rate(device: Any, times: int = TIMES) -> float:
    """B/s of copies to and fro in a part of the second-level cache, read and written, without what a launch takes."""
    kernel = device.compile(AGAIN).get_function("again")
    n = int(SHARE * device.l2_bytes / 2 / 16)
    one, other = (device.xp.full(n, k, np.complex128) for k in (1, 2))
    grid = (max(1, device.resident_blocks(kernel, 256)),)

    def copies(number: int) -> float:
        arguments = one, other, np.uint32(n), np.int32(number)
        kernel(grid, (256,), arguments)
        return seconds(device, lambda: kernel(grid, (256,), arguments))

    return times * 2 * one.nbytes / max(copies(2 * times) - copies(times), 1e-9)


def free(device: Any) -> None:
    """Give back what CuPy keeps of memory that nobody uses."""
    if hasattr(device.xp, "get_default_memory_pool"):
        device.xp.get_default_memory_pool().free_all_blocks()
