"""Data sets: one per file, registered by name: what a network sees, what it shall answer, and how answers are judged.

A data set is a class with two configurations and one road from a file to batches:

- `Options`: keys of `[data]` in a recipe, `name` among them; `Loss(Config)`: keys of `[loss]`
- `__init__(options, seed)`; `split`: the samples of "train", "validation" and "test", as numbers. What is drawn may be
  a part of what is split: flow splits by case and draws clips of cases
- `parts`: name of a part -> what is split, as numbers, of which all `usable` ones could be; it may be changed before
  `split` is asked for. `mark(number)` tells one from all others by its content, and `context` says, in words and
  numbers, how the file was made where a network cannot see it (`dtrain.origin`)
- `require(options)`: UserError if a phase with these keys of `[loss]` cannot learn from the data
- `sizes`: arguments of the network that the data determine
- `normalisation`: mean and spread of each output over the training targets
- `place(device)`: from now on batches are formed there; samples stay there if they fit. Returns where they are kept
- `batch(samples, epochs)`: samples as one batch (`dtrain.data.tensors`); with the epoch of each, augmented:
  what is drawn follows from seed, epoch and sample alone. Threads call it, and nothing makes them wait for a GPU
- `inputs(batch)`: the tensors that the network is called with; `output(network, batch)`: its answer, in as many calls
  as the task takes
- `loss(output, batch, options)`: name -> one value per sample [n_samples]; "loss" is what is minimised; also without
  making the host wait
- `scores(output, batch)`: name -> number for a batch of one sample; `objective(scores, options)`: the larger the better
"""

from hashlib import sha256

import numpy as np
from pydantic import Field

from runkit.config import Config
from runkit.registry import Registry

data = Registry("data set", "dtrain.data")


class Options(Config):
    """Keys of `[data]` that every data set has."""

    name: str
    memory: float = Field(4.0, ge=0, description="samples kept in the host's memory by each process [GiB]")
    device_memory: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of a GPU's free memory for samples, which stay there if all fit; else batches are sent",
    )


def mark_of(*arrays: np.ndarray) -> str:
    """A short digest of the content of arrays."""
    found = sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:20]
