"""torch.compile, and functions that it goes around.

`torch.compiler.disable` marks such a function, too, but imports the compiler's front, which takes as long as all other
imports of a program together: so it is applied when something is compiled, not when a module is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

import torch
from torch import nn

COMPILER = "inductor"  # torch.compile's own
P = ParamSpec("P")
Found = TypeVar("Found")


class GoneAround(Generic[P, Found]):
    """Decorator: a function that `compile_network` leaves out of its graphs."""

    def __init__(self, function: Callable[P, Found]) -> None:
        self._function = function
        _gone_around.append(self)

    def __call__(self, *arguments: P.args, **keywords: P.kwargs) -> Found:
        return self._function(*arguments, **keywords)

    def leave_out(self) -> None:
        """From now on."""
        self._function = torch.compiler.disable(self._function)


_gone_around: list[GoneAround] = []  # type: ignore[type-arg]  # functions of any kind


def compile_network(network: nn.Module) -> None:
    """Have torch compile what a network computes; the first call of each kind takes minutes.

    Its function alone, without the hooks that DeepSpeed hangs on a module: compilers trip over those.
    """
    for function in _gone_around:
        function.leave_out()
    network.forward = torch.compile(network.forward, backend=COMPILER, dynamic=getattr(network, "dynamic", None))
