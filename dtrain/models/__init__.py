"""Networks: one per file, registered by name.

A network is a `torch.nn.Module` whose parameters are keyword arguments with defaults. It is called with the tensors
that the data set's `inputs(batch)` gives and returns a tuple of tensors. Arguments named in the data set's `sizes` are
filled by it; all others are keys of `[model.parameters]` in a recipe. A class with `dynamic = True` is compiled at once
for tensors of any size. A graph network whose answer for a particle or an edge depends on nothing further away than a
number of edges has that number as `reach`: large configurations are then predicted in parts. One that uses the whole
graph (normalisation over a graph, answers for a graph) has no `reach`, and is given whole graphs only.
"""

from collections.abc import Mapping

from torch import nn

from runkit.registry import Registry

MOST = 4096  # of channels or layers: wider or deeper networks fit no memory
DEEPEST = 12  # levels, each of half the resolution: a grid of 4096 cells has become one cell

# What the `sizes` of our data sets name.
_OF_FLOWS = "inputs", "outputs", "frames", "spreads", "periodic", "planes", "points", "grid", "grid_inputs"
_OF_GRAPHS = "node_width", "edge_width", "n_species", "n_leading", "n_knots"
model: Registry[nn.Module] = Registry("model", "dtrain.models", (*_OF_FLOWS, *_OF_GRAPHS))


def require_whole(**parameters: object) -> None:
    """ValueError unless every parameter is a whole number from 1 to MOST."""
    _require_from(1, parameters)


def require_count(**parameters: object) -> None:
    """ValueError unless every parameter is a whole number from 0 to MOST."""
    _require_from(0, parameters)


def _require_from(least: int, parameters: Mapping[str, object]) -> None:
    for name, value in parameters.items():
        if type(value) is not int or not least <= value <= MOST:
            raise ValueError(f"{name} = {value!r} is not allowed; allowed: a whole number from {least} to {MOST}")


def require_list(**parameters: object) -> None:
    """ValueError unless every parameter is a list of 1 to DEEPEST such numbers."""
    for name, values in parameters.items():
        if not (isinstance(values, (list, tuple)) and 1 <= len(values) <= DEEPEST):
            raise ValueError(f"{name} = {values!r} is not allowed; allowed: a list of 1 to {DEEPEST} whole numbers")
        require_whole(**{f"{name}[{i}]": value for i, value in enumerate(values)})


def require_switch(**parameters: object) -> None:
    """ValueError unless every parameter is true or false."""
    for name, value in parameters.items():
        if type(value) is not bool:
            raise ValueError(f"{name} = {value!r} is not allowed; allowed: true or false")
