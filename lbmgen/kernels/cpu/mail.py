"""What blocks on the CPU send each other: packed, sent, awaited and unpacked by compiled code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lbmgen.kernels import Exchange
from lbmgen.kernels.cpu.runs import move, runs_of
from runkit.arrays import I64, DType, Floats
from runkit.mpi import Messages, World
from runkit.simd.compiled import part
from runkit.simd.messages import Native, start, wait


class Mail(NamedTuple):
    """All exchanges of a block: runs from it to buffers that MPI sees, and from buffers to it.

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


def mail_of(exchanges: Sequence[Exchange], dtype: DType, group: World) -> tuple[Mail, list[Messages]]:
    """The mail of a block among the ranks of `group`, and its messages, which live as long and are to be freed."""
    sizes = [(len(each.read), len(each.written), len(each.sends) + len(each.receives)) for each in exchanges]
    ends = np.cumsum([(0, 0, 0), *sizes], axis=0)
    read, written = (np.concatenate([np.zeros(0, np.int64), *(each[k] for each in exchanges)]) for k in (0, 1))
    out, back = (np.empty(len(table), dtype) for table in (read, written))
    messages = [
        each.messages(group, out[begin[0] : end[0]], back[begin[1] : end[1]])
        for each, begin, end in zip(exchanges, ends[:-1], ends[1:], strict=True)
    ]
    sends = ends[:-1, 2] + np.array([len(each.receives) for each in exchanges], np.int64)
    read, ends[:, 0] = runs_of(read, np.arange(len(read)), ends[:, 0])
    written, ends[:, 1] = runs_of(np.arange(len(written)), written, ends[:, 1])
    return Mail(read, written, out, back, ends, sends, Native.of(messages)), messages


@part
def send(h, mail, k):
    """Pack and send exchange number k, once what it sent before has left: who takes it may be half a step behind."""
    wait(mail.native, mail.sends[k], mail.ends[k + 1, 2])
    move(h, mail.out, mail.read, mail.ends[k, 0], mail.ends[k + 1, 0])
    start(mail.native, mail.ends[k, 2], mail.ends[k + 1, 2])


@part
def receive(h, mail, k):
    """Wait for what comes in exchange number k and unpack."""
    wait(mail.native, mail.ends[k, 2], mail.sends[k])
    move(mail.back, h, mail.written, mail.ends[k, 1], mail.ends[k + 1, 1])
