"""Messages from compiled code: MPI's own functions at their addresses, on requests that were made before.

What `runkit.mpi.Messages.native` gives is all that is needed; nothing here knows which MPI it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from runkit.mpi import Messages
from runkit.simd.compiled import part


class Native(NamedTuple):
    """Requests [n_bytes] of `size` bytes each, room for their statuses, and addresses of MPI_Startall and _Waitall."""

    requests: np.ndarray
    statuses: np.ndarray
    size: int
    startall: int
    waitall: int

    @classmethod
    def of(cls, messages: Sequence[Messages]) -> Native:
        """All requests of `messages`, one after the other. `messages` must live as long."""
        requests, size, status, startall, waitall = b"", 1, 1, 0, 0
        for each in messages:
            more, size, status, startall, waitall = each.native()
            requests += more
        statuses = np.empty(len(requests) // size * status, np.uint8)
        return cls(np.frombuffer(requests, np.uint8).copy(), statuses, size, startall, waitall)


@part
def start(native, begin, end):
    """Begin requests `begin` to `end`."""
    first = native.requests[begin * native.size :]
    if _startall(native.startall, end - begin, first):
        raise RuntimeError("MPI could not send")


@part
def wait(native, begin, end):
    """Until requests `begin` to `end` are done."""
    first = native.requests[begin * native.size :]
    if _waitall(native.waitall, end - begin, first, native.statuses):
        raise RuntimeError("a message was lost")


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
