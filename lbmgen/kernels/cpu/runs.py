"""Populations that move in many places at once: as few runs of equal strides as there are, each one loop."""

from collections.abc import Sequence

import numpy as np

from runkit.arrays import I64
from runkit.simd.compiled import kernel, part


def runs_of(source: I64, target: I64, ends: Sequence[int] | I64) -> tuple[I64, I64]:
    """Runs of moves from offsets `source` to `target`, int64 [n] each; none goes on over one of `ends`, 0 to n.

    Returns runs, int64 [n_runs, 5]: source, target, count, stride of either; and where the runs of each end begin.
    """
    runs, first = np.empty((len(source), 5), np.int64), np.empty(len(ends), np.int64)
    _join(source, target, np.asarray(ends, np.int64), runs, first)
    return runs[: first[-1]].copy(), first


@part
def move(source, target, runs, begin, end):
    """Move the populations of some runs from one array to another, or to the same one."""
    for run in range(begin, end):
        here, there, count, stride, other = runs[run]
        if stride == 1 and other == 1:
            for k in range(count):
                target[there + k] = source[here + k]
        else:
            for k in range(count):
                target[there + k * other] = source[here + k * stride]


@kernel
def _join(source, target, ends, runs, first):
    n = 0
    for piece in range(len(ends) - 1):
        first[piece] = n
        k, end = ends[piece], ends[piece + 1]
        while k < end:
            count, stride, other = 1, 1, 1
            if k + 1 < end:
                stride, other = source[k + 1] - source[k], target[k + 1] - target[k]
            while k + count < end:
                if source[k + count] - source[k + count - 1] != stride:
                    break
                if target[k + count] - target[k + count - 1] != other:
                    break
                count += 1
            runs[n, 0], runs[n, 1], runs[n, 2], runs[n, 3], runs[n, 4] = source[k], target[k], count, stride, other
            n += 1
            k += count
    first[-1] = n
