"""Two ranks that send to each other, on a GPU each or on the same one: run by the step `messages`.

mpiexec -n 2 python -m tools.gpu_check.exchange DATA OUT [tiny]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from runkit.mpi import Messages, World, launch, takes_device_arrays
from tools.gpu_check.step import Bench


def main(world: World, bench: Bench) -> None:
    """Say which way messages go, and how long an exchange takes either way; collective."""
    gpu = bench.device if bench.tiny else _own(world)
    directly = takes_device_arrays(world, gpu)
    for n_bytes in bench.size((1 << 10, 1 << 16, 1 << 20, 1 << 24), (1 << 10,)):
        staged = _exchange(world, gpu, n_bytes, False, bench.size(50, 2))
        direct = _exchange(world, gpu, n_bytes, True, bench.size(50, 2)) if directly else None
        if world.is_root:
            figures = {"staged_us": 1e6 * staged, "direct_us": direct and 1e6 * direct}
            bench.record(library=world.library, ranks=world.size, bytes=n_bytes, device_buffers=directly, **figures)


def _own(world: World) -> Any:
    from runkit.device import choose

    return choose(world, "gpu")


def _exchange(world: World, gpu: Any, n_bytes: int, directly: bool, n_times: int) -> float:
    """Seconds from the moment that a GPU has its data until it has the other's: the slowest rank's mean."""
    out, back = gpu.xp.zeros(n_bytes, np.uint8), gpu.xp.zeros(n_bytes, np.uint8)
    sent, received = (out, back) if directly else (gpu.pinned(n_bytes, np.uint8), gpu.pinned(n_bytes, np.uint8))
    before, after = ((world.rank + step) % world.size for step in (-1, 1))
    messages = Messages(world, [(after, 1, sent)], [(before, 1, received)])

    def once() -> None:
        if not directly:
            gpu.to_host(out, sent)
        gpu.wait()
        messages.start()
        messages.wait()
        if not directly:
            gpu.to_device(received, back)
        gpu.wait()

    once()
    world.barrier()
    began = time.perf_counter()
    for _ in range(n_times):
        once()
    taken = float(world.max((time.perf_counter() - began) / n_times))
    messages.free()
    return taken


if __name__ == "__main__":
    launch(main, Bench("messages", Path(sys.argv[1]), Path(sys.argv[2]), tiny=sys.argv[3:] == ["tiny"]))
