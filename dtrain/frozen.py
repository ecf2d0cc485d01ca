"""Parts of a network that stay as they are while the rest of it is trained.

They have no gradients, and always compute as in evaluation: a normalisation gathers no statistics in them, and nothing
is dropped. What is frozen is read from the weights themselves, so copies of a network and what is loaded from a file
of one need no mark of it.
"""

from __future__ import annotations

from torch import nn


def freeze(part: nn.Module) -> None:
    """Keep a part as it is."""
    part.requires_grad_(False)
    part.eval()


def frozen_parts(network: nn.Module) -> list[nn.Module]:
    """The outermost parts that have weights of which none is trained; `network.train()` must leave them out."""
    weights = list(network.parameters())
    if weights and not any(weight.requires_grad for weight in weights):
        return [network]
    return [part for child in network.children() for part in frozen_parts(child)]
