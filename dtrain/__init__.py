"""Training and prediction: neural networks that learn from the generators' files. torch lives only here.

The programs are `dtrain/train.py`, `evaluate.py` and `predict.py`. For NumPy arrays there are the scores of glass
(`dtrain.glass.scores`) and of flow (`dtrain.flow_metrics`), `descriptors` of an inherent structure
(`dtrain.data.descriptors`) and the `cages` of its particles (`dtrain.data.cage`); `load_model` gives a trained network,
and `dtrain.predict(position, species, box, model)` the mobility that it predicts. They are loaded at first use.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dtrain.data.cage import cages
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
    from dtrain.glass.scores import Estimate, Score, score
    from dtrain.metrics import ceiling, pearson
    from dtrain.weights import Trained, load_model

__all__ = [
    "Estimate",
    "Score",
    "Trained",
    "cages",
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

_PLACES = dict.fromkeys(__all__, "dtrain.flow_metrics")
_PLACES |= dict.fromkeys(("Trained", "load_model"), "dtrain.weights")
_PLACES |= dict.fromkeys(("Estimate", "Score", "score"), "dtrain.glass.scores")
_PLACES |= dict.fromkeys(("ceiling", "pearson"), "dtrain.metrics")
_PLACES |= {"descriptors": "dtrain.data.descriptors", "cages": "dtrain.data.cage"}

# A script started by its path (`deepspeed dtrain/train.py`) finds this folder first on the module path, where `data` or
# `config` would shadow modules of other packages. Undone here, once for all scripts.
sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != os.path.realpath(os.path.dirname(__file__))]


def __getattr__(name: str) -> Any:
    if name == "predict":  # the program, which is a function too
        return import_module("dtrain.predict")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
