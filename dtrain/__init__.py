"""Training and prediction: neural networks that learn from the generators' files. torch lives only here.

`dtrain.predict(position, species, box, model)` is the mobility that a trained network predicts for NumPy arrays; it is
loaded at first use.
"""

import os
import sys
from importlib import import_module
from typing import Any

# A script started by its path (`deepspeed dtrain/train.py`) finds this folder first on the module path, where `data` or
# `config` would shadow modules of other packages. Undone here, once for all scripts.
sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != os.path.realpath(os.path.dirname(__file__))]


def __getattr__(name: str) -> Any:
    if name == "predict":
        return import_module("dtrain.predict")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
