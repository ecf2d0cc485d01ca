"""Training and prediction: neural networks that learn from the generators' files. torch lives only here."""

import os
import sys

# A script started by its path (`deepspeed dtrain/train.py`) finds this folder first on the module path, where `data` or
# `config` would shadow modules of other packages. Undone here, once for all scripts.
sys.path[:] = [entry for entry in sys.path if os.path.realpath(entry) != os.path.realpath(os.path.dirname(__file__))]
