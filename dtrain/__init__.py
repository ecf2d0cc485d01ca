"""Training and prediction: neural networks that learn from the generators' files. torch lives only here.

The programs are `dtrain/train.py`, `evaluate.py` and `predict.py`. For NumPy arrays there are the scores of glass
(`dtrain.metrics`) and of flow (`dtrain.flow_metrics`), `descriptors` of an inherent structure
(`dtrain.data.descriptors`), and `load_model` gives a trained network. They are loaded at first use.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dtrain.data.descriptors import descriptors
    from dtrain.flow_metrics import (
        correlation,
        correlation_time,
        divergence,
        energy_spectrum,
        spectrum_error,
        variance_error,
        vorticity,
    )
    from dtrain.metrics import Score, ceiling, pearson, score
    from dtrain.weights import Trained, load_model

_PLACES = dict.fromkeys(("Trained", "load_model"), "dtrain.weights")
_PLACES["descriptors"] = "dtrain.data.descriptors"
_PLACES |= dict.fromkeys(("Score", "ceiling", "pearson", "score"), "dtrain.metrics")
_PLACES |= dict.fromkeys(
    (
        "correlation",
        "correlation_time",
        "divergence",
        "energy_spectrum",
        "spectrum_error",
        "variance_error",
        "vorticity",
    ),
    "dtrain.flow_metrics",
)

__all__ = [
    "Score",
    "Trained",
    "ceiling",
    "correlation",
    "correlation_time",
    "descriptors",
    "divergence",
    "energy_spectrum",
    "load_model",
    "pearson",
    "score",
    "spectrum_error",
    "variance_error",
    "vorticity",
]

# A script started by its path (`deepspeed dtrain/train.py`) finds this folder first on the module path, where `data` or
# `config` would shadow modules of other packages. Undone here, once for all scripts.
sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != os.path.realpath(os.path.dirname(__file__))]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
