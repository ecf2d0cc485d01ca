"""Muon: momentum, made orthogonal for every matrix of weights, so that all directions of a matrix learn alike.

A few directions dominate the gradient of a matrix. Here all singular values of an update are about 1, by a polynomial
that is applied five times. A filter of a convolution counts as a matrix: outputs x (inputs x places). What is no matrix
(biases, scales) learns by Adam. DeepSpeed's own Muon fails for filters, and torch's takes matrices alone.

Source: K. Jordan et al., kellerjordan.github.io/posts/muon (2024); J. Bernstein and L. Newhouse, arXiv:2409.20325.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
RATE = 10.0  # of matrices over the learning rate: an update that is orthogonal is small in each of many weights
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of x, x^3 and x^5: the slope at 0 is steep, and 1 is only nearly reached
TIMES = 5


class Muon(torch.optim.Adam):
    """An optimiser of whole weights, so not of ZeRO's shards; `lr` is the learning rate of what Adam is left."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float = 1e-3) -> None:
        given = list(parameters)
        matrices, others = ([one for one in given if (one.dim() > 1) is wanted] for wanted in (True, False))
        groups: list[dict[str, Any]] = [{"params": matrices, "is_matrix": True}, {"params": others, "is_matrix": False}]
        super().__init__([group for group in groups if group["params"]], lr=lr)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; gradients of matrices are used up, so that Adam finds only those of the others."""
        for group in self.param_groups:
            for weight in group["params"] if group["is_matrix"] else ():
                if weight.grad is not None:
                    weight.add_(self._update(weight), alpha=-RATE * group["lr"])
                    weight.grad = None
        return super().step(closure)

    def _update(self, weight: nn.Parameter) -> Tensor:
        gradient, state = weight.grad, self.state[weight]
        assert gradient is not None
        if not state:
            state["momentum"] = torch.zeros_like(weight)
            state["step"] = torch.zeros(())  # Adam looks for it in the state of every weight
        state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        mixed: Tensor = gradient.lerp(state["momentum"], MOMENTUM)
        return orthogonal(mixed.flatten(1)).reshape(weight.shape)


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix [a, b] with the same singular vectors, whose singular values are 0.7 to 1.2 but where they were tiny."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if is_tall else matrix  # products of the shorter side are the smaller ones
    x = x / (torch.linalg.matrix_norm(x) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(TIMES):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if is_tall else x
