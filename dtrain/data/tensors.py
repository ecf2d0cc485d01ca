"""Tensors that belong together, as a sample or a batch, and travel together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from runkit.arrays import Floats


@dataclass(frozen=True)
class Tensors:
    """A dataclass whose fields are tensors; a field of another type stays as it is."""

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by the names of their fields."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in held.items() if isinstance(value, Tensor)}

    def each(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The same with a function applied to every tensor."""
        changed: dict[str, Any] = {name: function(value) for name, value in self.tensors().items()}
        return replace(self, **changed)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """The same on another device."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    @property
    def nbytes(self) -> int:
        """Memory of all tensors."""
        return sum(tensor.nbytes for tensor in self.tensors().values())


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor on another device; the host does not wait for the copy to a GPU."""
    if tensor.device == device:
        return tensor
    # Only from pinned memory does a copy run beside the host; torch keeps such memory until the copy is over.
    pinned = tensor.pin_memory() if device.type == "cuda" and torch.cuda.is_available() else tensor
    return pinned.to(device, non_blocking=True)


def numbers(values: list[float] | list[bool] | Floats, device: torch.device) -> Tensor:
    """A few numbers of the host as a tensor on a device; float32 unless they are truth values."""
    array = np.asarray(values)
    return send(torch.from_numpy(array if array.dtype == bool else array.astype(np.float32)), device)
