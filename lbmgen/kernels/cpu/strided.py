"""Strided copies of populations: a table of copies is joined into as few as possible, each of which is one loop."""

from collections.abc import Sequence

import numpy as np

from runkit.arrays import I64
from runkit.simd.compiled import kernel
from runkit.simd.parts import part


def strided_copies(source: I64, target: I64, ends: Sequence[int] | I64) -> tuple[I64, I64]:
    """Strided copies from offsets `source` to `target`, int64 [n] each; none goes across one of `ends`, 0 to n.

    Returns int64 [n_copies, 5]: source, target, count, stride of either; and the first copy after each of `ends`.
    """
    copies, first = np.empty((len(source), 5), np.int64), np.empty(len(ends), np.int64)
    _join(source, target, np.asarray(ends, np.int64), copies, first)
    return copies[: first[-1]].copy(), first


@part
def copy_strided(source, target, copies, begin, end):
    """Do copies `begin` to `end` from one array to another, or to the same one."""
    for copy in range(begin, end):
        here, there, count, stride, other = copies[copy]
        if stride == 1 and other == 1:  # contiguous: a loop of its own, which can be vectorised
            for k in range(count):
                target[there + k] = source[here + k]
        else:
            for k in range(count):
                target[there + k * other] = source[here + k * stride]


@kernel
def _join(source, target, ends, copies, first):
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
            # Number by number: a row that is set to a tuple takes Numba two seconds longer to compile.
            copies[n, 0], copies[n, 1], copies[n, 2] = source[k], target[k], count
            copies[n, 3], copies[n, 4] = stride, other
            n += 1
            k += count
    first[-1] = n
