"""Copies of arrays from a GPU to the host on a stream of their own, while the GPU computes further."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runkit.arrays import Array
from runkit.device import DeviceArray, Gpu


class StagingBuffers:
    """Buffers on the device and on the host for arrays like `arrays`; they are used again for each sending."""

    def __init__(self, device: Gpu, arrays: Sequence[DeviceArray]) -> None:
        self._device, self._stream = device, device.stream()
        self._on_device = [device.xp.empty(array.shape, array.dtype) for array in arrays]
        self._on_host = [device.pinned(array.shape, array.dtype) for array in arrays]
        self._n_sent = 0

    def __del__(self) -> None:
        """Wait for copies on their way: the memory of the buffers is reused once this is gone."""
        with self._stream:
            self._device.wait()

    def send(self, arrays: Sequence[DeviceArray]) -> Callable[[], list[Array]]:
        """Start to send `arrays` as they are after all work launched so far; later work need not wait for the copies.

        Returns a function that waits for the arrays on the host. They are valid until the next sending, after which the
        function raises RuntimeError, since the buffers may have been overwritten.
        """
        for there, array in zip(self._on_device, arrays, strict=True):
            there[...] = array
        self._device.order(None, self._stream)
        with self._stream:
            for there, here in zip(self._on_device, self._on_host, strict=True):
                self._device.to_host(there, here)
        self._n_sent += 1
        number = self._n_sent
        return lambda: self._receive(number)

    def _receive(self, number: int) -> list[Array]:
        if number != self._n_sent:
            raise RuntimeError("what was sent has been replaced by what was sent next")
        with self._stream:
            self._device.wait()
        return self._on_host
