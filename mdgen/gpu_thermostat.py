"""A thermostat on a GPU while steps are done there.

Kernels count the steps of each replica themselves, so all launches of a block of steps have the same arguments, and the
host neither waits nor sends anything between them but random numbers: these go ahead, from pinned memory, on a stream
of their own.
"""

from __future__ import annotations

import numpy as np

from mdgen.thermostats import Thermostat
from runkit.device import DeviceArray, Gpu


class GpuThermostat:
    """The values of `thermostat` (None: there is none) on `device`, and the random numbers of a block of steps."""

    def __init__(self, device: Gpu, thermostat: Thermostat | None) -> None:
        self._device, self._thermostat, self._stream = device, thermostat, device.stream()
        self._n_sent = self._n_wanted = 0
        nothing = device.xp.zeros((1, 1))
        self._value: DeviceArray = nothing
        self._constants: DeviceArray = nothing
        self._on_device: DeviceArray = nothing
        self._on_host = np.empty((0, 0, 0))  # pinned, as large as the largest block
        if thermostat is not None:
            self._value = device.xp.empty(thermostat.value.shape)
            self._constants = device.xp.empty(len(thermostat.constants))

    @property
    def given(self) -> tuple[DeviceArray, DeviceArray, DeviceArray]:
        """What kernels take: values, random numbers of the whole block, constants; nothing without a thermostat."""
        return self._value, self._on_device, self._constants

    def begin(self, n_steps: int) -> None:
        """A block of `n_steps` steps: values and constants as they are with the thermostat now."""
        if self._thermostat is None:
            return
        of_a_step = self._thermostat.draw(0).shape[1:]
        if n_steps > len(self._on_host) and np.prod(of_a_step):
            self._on_host = self._device.pinned((n_steps, *of_a_step), np.float64)
            self._on_device = self._device.xp.empty(self._on_host.shape)
            self._device.order(None, self._stream)  # what had this memory before may still be at work
        self._n_sent, self._n_wanted = 0, min(n_steps, len(self._on_host))
        self._device.to_device(np.array(self._thermostat.constants), self._constants)
        self.rewind()

    def rewind(self) -> None:
        """Back to the start of the block. Its random numbers are there still, so far as they were sent."""
        if self._thermostat is not None:
            self._device.to_device(np.ascontiguousarray(self._thermostat.value), self._value)

    def send(self, n_steps: int) -> None:
        """Draw and send the random numbers of the next steps; what is launched from here on waits for them."""
        last = min(self._n_sent + n_steps, self._n_wanted)
        if last == self._n_sent:
            return
        part = slice(self._n_sent, last)
        assert self._thermostat is not None  # without one there are no random numbers to draw
        self._on_host[part] = self._thermostat.draw(last - self._n_sent)
        with self._stream:
            self._device.to_device(self._on_host[part], self._on_device[part])
        self._device.order(self._stream, None)
        self._n_sent = last

    def finish(self) -> None:
        """Leave the values with the thermostat."""
        if self._thermostat is not None:
            self._thermostat.value = self._device.to_host(self._value)
