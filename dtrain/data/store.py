"""Where the samples of a training lie: on its device for good if they fit there, else in the memory of the host."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

import torch

from dtrain.data.tensors import Tensors, send
from runkit.dataset.layout import in_units

GIB = 2**30
T = TypeVar("T", bound=Tensors)


class Store(Generic[T]):
    """Samples by a key, kept on `home` up to a limit in bytes; several threads may use it.

    `device` is where batches are formed: what does not stay there is sent each time. `holds_all` is whether all
    samples, `n_bytes` together, will be kept on `home`.
    """

    def __init__(self, device: torch.device, home: torch.device, limit: float, n_bytes: int) -> None:
        self.device, self.home, self.limit, self.n_bytes = device, home, limit, n_bytes
        self.holds_all = n_bytes <= limit
        self._kept: dict[Hashable, T] = {}
        self._n_kept = 0
        self._lock = Lock()

    @classmethod
    def choose(cls, device: torch.device, n_bytes: int, memory: float, device_memory: float) -> Store[T]:
        """The store for samples of `n_bytes`, with the bounds of a recipe (see `dtrain.data.Options`)."""
        if device.type == "cuda" and n_bytes <= device_memory * _free(device):
            return cls(device, device, float("inf"), n_bytes)
        return cls(device, torch.device("cpu"), memory * GIB, n_bytes)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """A sample on `device`, made on the host if it is not kept."""
        sample = self._kept.get(key)
        if sample is None:
            sample = make().each(lambda tensor: send(tensor, self.home))
            with self._lock:
                if key not in self._kept and self._n_kept + sample.nbytes <= self.limit:
                    self._kept[key] = sample
                    self._n_kept += sample.nbytes
        return self.sent(sample)

    def sent(self, sample: T) -> T:
        """A sample on `device`, which may be kept elsewhere."""
        return sample if self.home == self.device else sample.each(lambda tensor: send(tensor, self.device))

    def __str__(self) -> str:
        size = f"samples of {in_units(self.n_bytes)}"
        if self.home.type == "cuda":
            return f"{size} stay on {self.device}"
        kept = "are kept in memory" if self.holds_all else f"do not all fit into data.memory = {self.limit / GIB:g} GiB"
        return f"{size} {kept}" + (f"; batches are sent to {self.device}" if self.device.type == "cuda" else "")


def _free(device: torch.device) -> int:
    """Bytes of a GPU that are free, those that torch holds ready included."""
    ready = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + ready
