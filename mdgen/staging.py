"""What leaves a GPU while it goes on: copies travel to the host on a stream of their own."""

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
        """Others take the buffers once this is gone: nothing may be on its way to them."""
        with self._stream:
            self._device.wait()

    def send(self, arrays: Sequence[DeviceArray]) -> Callable[[], list[Array]]:
        """Begin to send what `arrays` hold after all that has been asked for; what is asked for next need not wait.

        Gives a function that waits for the arrays on the host. They hold until the next sending, and from then on the
        function raises RuntimeError: what it was to bring may not have left before its buffers were filled again.
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
