"""Halo exchange of blocks on the CPU: compiled code packs, sends, awaits and unpacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lbmgen.kernels import Exchange
from lbmgen.kernels.cpu.strided import copy_strided, strided_copies
from runkit.arrays import I64, DType, Floats
from runkit.mpi import Messages, World
from runkit.simd.messages import Native, start, wait
from runkit.simd.parts import part


class ExchangeBuffers(NamedTuple):
    """All exchanges of a block: strided copies from it to buffers that MPI sees, and from buffers to it.

    `ends` int64 [n_exchanges + 1, 3]: where each begins in what is read, in what is written, and in the requests. First
    among its requests come those to receive, up to `sends` int64 [n_exchanges].
    """

    read: I64
    written: I64
    out: Floats
    back: Floats
    ends: I64
    sends: I64
    native: Native


def exchange_buffers(
    exchanges: Sequence[Exchange], dtype: DType, group: World
) -> tuple[ExchangeBuffers, list[Messages]]:
    """The buffers of a block for exchanges in `group`, and their messages, which live as long and are to be freed."""
    sizes = [(len(each.read), len(each.written), len(each.sends) + len(each.receives)) for each in exchanges]
    ends = np.cumsum([(0, 0, 0), *sizes], axis=0)
    read, written = (np.concatenate([np.zeros(0, np.int64), *(each[k] for each in exchanges)]) for k in (0, 1))
    out, back = (np.empty(len(table), dtype) for table in (read, written))
    messages = [
        each.messages(group, out[begin[0] : end[0]], back[begin[1] : end[1]])
        for each, begin, end in zip(exchanges, ends[:-1], ends[1:], strict=True)
    ]
    sends = ends[:-1, 2] + np.array([len(each.receives) for each in exchanges], np.int64)
    # From here on `ends` counts strided copies, no longer populations; of requests it counts each, as before.
    read, ends[:, 0] = strided_copies(read, np.arange(len(read)), ends[:, 0])
    written, ends[:, 1] = strided_copies(np.arange(len(written)), written, ends[:, 1])
    return ExchangeBuffers(read, written, out, back, ends, sends, Native.of(messages)), messages


@part
def send(h, buffers, k):
    """Pack and send exchange number k, once its last message has left: a neighbour may be half a step behind."""
    wait(buffers.native, buffers.sends[k], buffers.ends[k + 1, 2])
    copy_strided(h, buffers.out, buffers.read, buffers.ends[k, 0], buffers.ends[k + 1, 0])
    start(buffers.native, buffers.ends[k, 2], buffers.ends[k + 1, 2])


@part
def receive(h, buffers, k):
    """Wait for the messages of exchange number k, and unpack them."""
    wait(buffers.native, buffers.ends[k, 2], buffers.sends[k])
    copy_strided(buffers.back, h, buffers.written, buffers.ends[k, 1], buffers.ends[k + 1, 1])
