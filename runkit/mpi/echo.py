"""Messages of device buffers, tried by the ranks of a run, or by a process alone (`runkit/trial.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runkit.mpi.messages import Messages
from runkit.mpi.world import World

if TYPE_CHECKING:  # NumPy is not to be loaded yet: see `single_threaded`
    from runkit.arrays import Floats

SIZES = (1, 1 << 10, 1 << 18)  # float64 numbers: libraries send short and long messages in ways of their own
TURNS = 2  # a persistent message is started again


class Accelerator(Protocol):
    """The part of a GPU (`runkit.device.Gpu`) that is used here."""

    index: int
    """Its number on the node."""

    @property
    def xp(self) -> Any:
        """The module of its arrays, which has the functions of NumPy."""

    def wait(self) -> None:
        """Wait until all its work is done."""

    def to_host(self, array: Any, /) -> Any:
        """A copy as a NumPy array."""


def wrong(world: World, gpu: Accelerator) -> str:
    """What does not arrive as it was sent when each rank sends to the next one; "" if all does. Collective."""
    import numpy as np

    found = ""
    before, after = ((world.rank + step) % world.size for step in (-1, 1))
    for n in SIZES:
        sent, received = gpu.xp.zeros(n), gpu.xp.zeros(n)
        messages = Messages(world, [(after, n, sent)], [(before, n, received)])
        right = True
        for turn in range(TURNS):
            sent[...] = gpu.xp.asarray(_numbers(n, world.rank, turn))
            gpu.wait()
            messages.start()
            messages.wait()
            right &= np.array_equal(gpu.to_host(received), _numbers(n, before, turn))
        messages.free()
        if not right:  # the others go on
            found = found or f"rank {world.rank} did not get the {8 * n} bytes that rank {before} sent"
    return found


def _numbers(n: int, rank: int, turn: int) -> Floats:
    import numpy as np

    return np.arange(n) + 0.5 + 1e6 * rank + 1e3 * turn
