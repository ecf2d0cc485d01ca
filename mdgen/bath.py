"""A thermostat on a GPU while steps are done there."""

from __future__ import annotations

import numpy as np


class Bath:
    """The values of `thermostat`, or of none, on `device`, and its random numbers, sent ahead."""

    def __init__(self, device, thermostat):
        self._device, self._thermostat = device, thermostat
        self._sent: list = []
        self._n_taken = 0
        self._nothing = device.xp.zeros((1, 1))  # what kernels take that have no thermostat
        self._value = self._constants = self._nothing
        if thermostat is not None:
            self._value = device.xp.asarray(np.ascontiguousarray(thermostat.value))
            self._constants = device.xp.asarray(np.array(thermostat.constants))
        self._start = self._value.copy()

    def portion(self, n_steps: int) -> tuple:
        """Values, random numbers of the next `n_steps` steps, constants."""
        if self._thermostat is None:
            return self._value, self._nothing, self._constants
        if self._n_taken == len(self._sent):
            self._sent.append(self._device.xp.asarray(self._thermostat.draw(n_steps)))
        self._n_taken += 1
        return self._value, self._sent[self._n_taken - 1], self._constants

    def rewind(self) -> None:
        """Back to the start, to give the same numbers again."""
        self._n_taken = 0
        self._value[...] = self._start

    def close(self) -> None:
        """Leave the values with the thermostat."""
        if self._thermostat is not None:
            self._thermostat.value = self._device.to_host(self._value)
