"""Networks: one per file, registered by name.

A network is a `torch.nn.Module` whose parameters are keyword arguments with defaults. It is called with the tensors
that the data set's `inputs(batch)` gives and returns a tuple of tensors. Arguments named in the data set's `sizes` are
filled by it; all others are keys of `[model.parameters]` in a recipe. A class with `dynamic = True` is compiled at once
for tensors of any size.
"""

from runkit.registry import Registry

model = Registry("model", "dtrain.models")
