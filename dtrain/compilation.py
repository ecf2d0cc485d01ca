"""torch.compile, and functions that stay out of its graphs.

`torch.compiler.disable` marks such a function, too, but imports the compiler's front, which takes as long as all other
imports of a program together: so it is applied when something is compiled, not when a module is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import torch
from torch import nn

COMPILER = "inductor"  # torch.compile's own
P = ParamSpec("P")
Found = TypeVar("Found")


class not_compiled(Generic[P, Found]):
    """Decorator: `compile_network` leaves the function out of its graphs. torch.compile itself knows nothing of it."""

    def __init__(self, function: Callable[P, Found]) -> None:
        update_wrapper(self, function)
        self._plain = self._called = function
        _not_compiled.append(self)

    def __call__(self, *arguments: P.args, **keywords: P.kwargs) -> Found:
        return self._called(*arguments, **keywords)

    def leave_out(self) -> None:
        """Mark the function for the compiler, which this imports."""
        self._called = torch.compiler.disable(self._plain)


_not_compiled: list[not_compiled[Any, Any]] = []


def compile_network(network: nn.Module) -> None:
    """Have torch compile what a network computes; the first call of each kind takes minutes.

    Its function alone, without the hooks that DeepSpeed hangs on a module: compilers trip over those.
    """
    for function in _not_compiled:
        function.leave_out()
    network.forward = torch.compile(network.forward, backend=COMPILER, dynamic=getattr(network, "dynamic", None))
