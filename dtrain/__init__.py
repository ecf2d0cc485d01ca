"""Training and prediction: models that learn from the generators' files. torch lives only here.

`descriptors` gives NumPy users the descriptors of an inherent structure (see `dtrain.data.descriptors`). It is loaded
at first use.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dtrain.data.descriptors import descriptors

__all__ = ["descriptors"]

# A script started by its path (`deepspeed dtrain/train.py`) finds this folder first on the module path, where `data` or
# `config` would shadow modules of other packages. Undone here, once for all scripts.
sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != os.path.realpath(os.path.dirname(__file__))]


def __getattr__(name: str) -> Any:
    if name == "descriptors":
        from dtrain.data.descriptors import descriptors

        return descriptors
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
