"""Streams of the stand-in: what is asked of them, when it is done, and what is recorded instead.

Nothing is done before it has to be, so that what should wait and does not shows. While launches are recorded, what a
GPU would refuse is refused: to wait, to make arrays, copies of memory that is not pinned, and other streams.
"""

from __future__ import annotations

from functools import partial

import numpy as np


class Pinned(np.ndarray):
    """Memory of the host that copies need not wait for."""


def refuse_while_recording(what: str) -> None:
    assert Stream.recorded is None, f"{what} while launches are recorded"


class Stream:
    """Kernels and copies that are under way. On a stream of its own a kernel runs, and a copy reads, as
    late as the order of work allows: what changes its source in between, and should not, shows. A copy has to come
    after all kernels that were launched."""

    present: list[Stream]
    recorded: list | None = None  # what is recorded, if anything is
    recording: Stream  # the one whose launches are recorded
    n_launched = 0

    def __init__(self) -> None:
        self.copies: list[list[np.ndarray]] = []  # of what, whereto; empty when it has arrived
        self.kernels: list = []  # that have not run
        self.n_known = -1  # launches that this stream comes after

    def __enter__(self) -> None:
        self.read()
        Stream.present.append(self)

    def __exit__(self, *_) -> None:
        Stream.present.pop()

    def launch(self, kernel) -> None:
        if self._records(lambda stream: stream.launch(kernel)):
            return
        self.read()
        Stream.n_launched += 1
        if self is Stream.present[0]:
            kernel()
        else:
            self.kernels.append(kernel)

    def _records(self, operation, *arrays) -> bool:
        """Whether what is asked for is recorded, to be done by another stream later."""
        if Stream.recorded is None:
            return False
        assert self is Stream.recording, "another stream while launches are recorded"
        assert all(isinstance(array, Pinned) for array in arrays), "a copy of memory that is not pinned is recorded"
        Stream.recorded.append(operation)
        return True

    def run(self) -> None:
        while self.kernels:
            self.kernels.pop(0)()

    def send(self, array: np.ndarray, out: np.ndarray) -> None:
        if self._records(lambda stream: stream.send(array, out), out):
            return
        self.run()
        out.reshape(-1).view(np.uint8)[:] = 0xFF  # not a number, for who does not wait
        self.copies.append([array, out])
        if self is Stream.present[0]:  # NumPy's own work there cannot be seen
            self.read()
        else:
            assert self.n_known == Stream.n_launched, "a copy that need not come after what it is to bring"

    def bring(self, array: np.ndarray, out: np.ndarray) -> None:
        """To the device: like a kernel, and no number until then."""
        if self._records(lambda stream: stream.bring(array, out), array):
            return
        if self is Stream.present[0]:
            out[...] = array
        else:
            out.reshape(-1).view(np.uint8)[:] = 0xFF
            self.kernels.append(partial(np.copyto, out, array))

    def read(self) -> None:
        for copy in filter(None, self.copies):
            copy[0] = copy[0].copy()

    def arrive(self) -> None:
        for copy in filter(None, self.copies):
            copy[1][...] = copy[0]
            copy.clear()
        self.copies.clear()


Stream.present = [Stream()]
