"""The steps of a block with neighbours: what lies between two exchanges is recorded once and launched as one graph.

In a step the host launches, waits until what is sent is packed, and has MPI send and receive it, while inner sites are
swept on a stream of their own. What comes after the last messages of a step and what comes before the first ones of the
next step are one graph; kernels read on the device which step it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lbmgen.kernels.gpu.block import Batch, Items, LoadedBlock
from lbmgen.kernels.gpu.launches import Launches, Now
from runkit.arrays import F64, I64


class Cut:
    """Rounds of `n_steps` steps of a block."""

    def __init__(self, launches: Launches, block: LoadedBlock, n_steps: int) -> None:
        self._launches, self._gpu, self._steps = launches, launches.gpu, block.steps
        self._batch = Batch(self._gpu, [block], n_steps)
        self._side = self._gpu.stream()
        self._graphs: dict[tuple[int, object], Callable[[], None] | None] = {}

    def holds(self, n_steps: int) -> bool:
        """Whether rounds have so many steps."""
        return self._batch.n_steps == n_steps

    def advance(self, parity: int, scale: F64) -> I64:
        """The steps of a round, the first of `parity`; returns the impulse on bodies, [1, n_steps, …]."""
        self._batch.begin(scale[None], -1)
        for step in range(len(scale)):
            self._step((parity + step) % 2, is_first=step == 0)
        if len(scale):
            self._end((parity + len(scale) - 1) % 2)
        impulse: I64 = self._gpu.to_host(self._batch.impulse)
        return impulse

    def _step(self, parity: int, is_first: bool) -> None:
        """A step to its last messages."""
        stages, _ = self._steps[parity]
        for k, stage in enumerate(stages):
            if k == 0:
                self._again((parity, "first" if is_first else "next"), partial(self._begin, parity, is_first))
            else:
                self._again((parity, k), partial(self._do, parity, stage.before))
            # The host waits until buffers are packed, since MPI reads them. Inner sites are swept on another stream, so
            # that the wait does not include them.
            self._gpu.order(None, self._side)
            with self._side:
                self._launches.sweep(Now(self._batch, parity), stage.beside)
            self._gpu.wait()
            stage.buffers.messages.start()
            stage.buffers.messages.wait()
        self._gpu.order(self._side, None)

    def _begin(self, parity: int, is_first: bool) -> None:
        """What ends the step before, and what comes before the first messages."""
        if not is_first:
            self._end(1 - parity)
        stages, _ = self._steps[parity]
        self._launches.do(Now(self._batch, parity, tick=1), stages[0].before)

    def _end(self, parity: int) -> None:
        self._do(parity, self._steps[parity][1])

    def _do(self, parity: int, items: Items) -> None:
        self._launches.do(Now(self._batch, parity), items)

    def _again(self, key: tuple[int, object], function: Callable[[], None]) -> None:
        """Launch it, as a graph from the second time on: what comes once is not worth a recording."""
        if key not in self._graphs:
            self._graphs[key] = None
            function()
            return
        graph = self._graphs[key] = self._graphs[key] or self._gpu.graph(function)
        graph()
