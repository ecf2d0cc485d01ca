"""torch.compile, for networks in training and in use, and functions that stay out of its graphs.

`torch.compiler.disable` marks such a function, too, but imports the compiler's front, which takes as long as all other
imports of a program together: so it is applied when something is compiled, not when a module is imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from runkit.errors import UserError

COMPILER = "inductor"  # torch.compile's own
MOST_SHAPES = 64  # of all networks of a class together; those beyond it are not compiled
P = ParamSpec("P")
Found = TypeVar("Found")


class not_compiled(Generic[P, Found]):
    """Decorator: the functions below leave it out of their graphs. torch.compile itself knows nothing of it."""

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

    Its function alone, without the hooks that DeepSpeed hangs on a module: compilers trip over those. UserError if
    there is no C++ compiler, which a CPU needs.
    """
    _prepare(network)
    network.forward = torch.compile(network.forward, backend=COMPILER, dynamic=getattr(network, "dynamic", None))


def compile_frozen(network: nn.Module) -> None:
    """The same for a network that is used, not trained: its weights are constants, laid out as the kernels want them.

    For calls without gradients; a weight that changes after the first one has no effect. Each shape of inputs is
    compiled at its first call.
    """
    _prepare(network)
    inductor, dynamo = (importlib.import_module(f"torch._{part}.config") for part in ("inductor", "dynamo"))
    plain, seen = network.forward, set[tuple[torch.Size, ...]]()
    compiled = torch.compile(plain, backend=COMPILER, dynamic=False)

    def forward(*inputs: Tensor) -> Any:
        shapes = tuple(one.shape for one in inputs)
        if shapes in seen:
            return compiled(*inputs)
        seen.add(shapes)
        plain(*inputs)  # leaves matrices of such a size where the compiler finds them
        # As an option of torch.compile `freezing` comes too late: weights are inputs of the graph by then.
        with inductor.patch(freezing=True), dynamo.patch(recompile_limit=MOST_SHAPES):
            return compiled(*inputs)

    network.forward = forward


def _prepare(network: nn.Module) -> None:
    if next(network.parameters()).device.type == "cpu":
        _require_cpp_compiler()
    for function in _not_compiled:
        function.leave_out()


def _require_cpp_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        message = "compile = true: there is no C++ compiler; install g++, name another one in CXX, or leave compile out"
        raise UserError(message) from error
