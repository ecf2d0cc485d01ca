"""Targets in units of their spread, and back: a network learns numbers of order one at every time and temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from runkit.arrays import Floats
from runkit.errors import UserError


@dataclass(frozen=True)
class Normalisation:
    """Mean and spread of the training targets of each output of a network: physical = mean + std * output."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, *targets: Floats) -> Normalisation:
        """From the training targets of each output; UserError if one does not vary."""
        arrays = [np.asarray(target) for target in targets]
        if not arrays or not all(array.size and array.dtype.kind in "fiu" for array in arrays):
            raise UserError("normalisation: numbers of each output are needed")
        mean, std = ([function(target, dtype=np.float64) for target in targets] for function in (np.mean, np.std))
        return cls.checked(mean, std)

    @classmethod
    def checked(cls, mean: Sequence[float] | Floats, std: Sequence[float] | Floats) -> Normalisation:
        """From a mean and a spread per output; UserError if one does not vary."""
        spreads = tuple(float(value) for value in std)
        if not all(value > 0 and np.isfinite(value) for value in spreads):
            raise UserError(
                f"the training targets do not vary (standard deviations {spreads}): nothing can be learnt from them"
            )
        return cls(tuple(float(value) for value in mean), spreads)

    @classmethod
    def identity(cls, n_outputs: int) -> Normalisation:
        """Outputs are physical as they are."""
        return cls((0.0,) * n_outputs, (1.0,) * n_outputs)

    def normalised_output(self, i_output: int, target: Floats) -> Floats:
        """Targets of an output, in their units, as normalised outputs of the network."""
        return (target - self.mean[i_output]) / self.std[i_output]

    def normalised(self, values: Floats) -> Floats:
        """Values [n_outputs, ...] in their units as normalised inputs and outputs of the network."""
        mean, std = self._along(values)
        return (values - mean) / std

    def denormalised(self, values: Floats) -> Floats:
        """Outputs [n_outputs, ...] of the network in their units."""
        mean, std = self._along(values)
        return mean + std * values

    def _along(self, values: Floats) -> tuple[Floats, Floats]:
        """Mean and spread, to be broadcast against `values`."""
        shape = (-1, *(1,) * (values.ndim - 1))
        return np.asarray(self.mean, values.dtype).reshape(shape), np.asarray(self.std, values.dtype).reshape(shape)


class DenormalisedNetwork(nn.Module):
    """A network whose outputs carry their units again."""

    def __init__(self, network: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.network, self.normalisation = network, normalisation

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        n = self.normalisation
        return tuple(
            mean + std * output for output, mean, std in zip(self.network(*inputs), n.mean, n.std, strict=True)
        )

    @torch.inference_mode()
    def predict(self, *inputs: Tensor) -> tuple[Floats, ...]:
        """Outputs as arrays, without gradients."""
        return tuple(output.cpu().numpy() for output in self(*inputs))
