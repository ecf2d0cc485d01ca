"""How parts of kernels are compiled: no further than to the text that is linked into the kernels that call them.

Of each function that a kernel calls, Numba makes optimised code, machine code and two wrappers for Python, and then
optimises all of it once more within the kernel, as deep as calls are nested: that is more than half of the time that a
kernel takes to compile. A part is never called from Python, so it needs none of this; it is optimised in its kernels.
"""

from __future__ import annotations

from typing import Any, NoReturn

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _Linked(JITCodeLibrary):
    """Code for linking into that of kernels, which is optimised and becomes machine code there."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class PartCompiler(Compiler):
    """Compiles parts of kernels."""

    def define_pipelines(self) -> Any:
        context, flags = self.state.targetctx, self.state.flags  # of this compilation alone
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        context.get_executable = _executable
        self.state.library = _Linked(context.codegen(), self.state.func_id.func_qualname)
        return super().define_pipelines()


class KernelCompiler(Compiler):
    """Compiles kernels, and hands their parts what these keep for Python: their environments, for exceptions."""

    def compile_extra(self, function: Any) -> Any:
        result = super().compile_extra(function)
        for environment in result._find_referenced_environments():
            result.library.codegen.set_env(environment.env_name, environment)
        return result


def part(function: Any, **options: Any) -> Any:
    """A function that kernels and other parts call; called from Python it raises TypeError."""
    dispatcher: Any = njit(error_model="numpy", pipeline_class=PartCompiler, **options)(function)
    dispatcher._insert = _leave_out  # Numba's table of what Python can call stays empty,
    dispatcher._compile_for_args = _refuse  # so that it comes here each time
    return dispatcher


def helper(function: Any) -> Any:
    """A part that is always inlined."""
    return part(function, forceinline=True)


def _executable(library: Any, description: Any, environment: Any) -> object:
    """What stands for a part among the functions that Numba may call."""
    library.finalize()
    return object()


def _leave_out(*_: Any, **__: Any) -> None:
    pass


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise TypeError("a part of kernels has no code of its own: call a kernel, or its py_func")
