"""Messages from compiled code: MPI's own functions at their addresses, on requests that were made before.

Addresses and sizes come from `runkit.mpi`; nothing here depends on which MPI it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from runkit.mpi import Messages, native_calls
from runkit.simd.parts import part


class Native(NamedTuple):
    """MPI_Startall and MPI_Waitall by address, requests of `size` bytes each [n_bytes], and room for their statuses."""

    startall: int
    waitall: int
    size: int
    requests: np.ndarray
    statuses: np.ndarray

    @classmethod
    def of(cls, messages: Sequence[Messages]) -> Native:
        """All requests of `messages`, one after the other. `messages` must live as long."""
        if not messages:
            return cls(0, 0, 1, *np.zeros((2, 0), np.uint8))
        startall, waitall, size, status = native_calls()
        requests = np.frombuffer(bytearray().join(each.handles for each in messages), np.uint8)
        return cls(startall, waitall, size, requests, np.zeros(len(requests) // size * status, np.uint8))

    def give_back(self, messages: Sequence[Messages]) -> None:
        """Leave the requests as they are now with `messages`: MPI may have replaced some."""
        begin = 0
        for each in messages:
            end = begin + len(each.handles)
            each.handles = self.requests[begin:end].tobytes()
            begin = end


@part
def start(native, begin, end):
    """Begin requests `begin` to `end`."""
    first = native.requests[begin * native.size :]
    if _startall(native.startall, end - begin, first):
        raise RuntimeError("MPI_Startall has failed")


@part
def wait(native, begin, end):
    """Until requests `begin` to `end` are done."""
    first = native.requests[begin * native.size :]
    if _waitall(native.waitall, end - begin, first, native.statuses):
        raise RuntimeError("MPI_Waitall has failed")


def _caller(n_arrays):
    """A call of int function(int, void *, …)."""

    def codegen(context, builder, signature, arguments):
        address, count, *arrays = arguments
        byte = ir.IntType(8).as_pointer()
        function = ir.FunctionType(ir.IntType(32), [ir.IntType(32), *[byte] * n_arrays])
        given = [builder.trunc(count, ir.IntType(32))]
        for kind, array in zip(signature.args[2:], arrays, strict=True):
            given.append(builder.bitcast(context.make_array(kind)(context, builder, array).data, byte))
        return builder.call(builder.inttoptr(address, function.as_pointer()), given)

    return codegen


@intrinsic
def _startall(typingctx, address, count, requests):
    return types.int32(types.int64, types.int64, requests), _caller(1)


@intrinsic
def _waitall(typingctx, address, count, requests, statuses):
    return types.int32(types.int64, types.int64, requests, statuses), _caller(2)
