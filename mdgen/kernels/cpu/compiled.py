"""Compiled functions and where they are kept: on disk, valid for exactly the present text of this package.

Numba's own `cache=True` looks at the file of a function only, and would go on using code that was inlined from another
file after that one has changed. Several processes must not compile at once (Numba issue 4807).
"""

from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

from numba import njit
from numba.core.caching import FunctionCache

helper = njit(error_model="numpy", forceinline=True)


def kernel(function):
    """A function compiled at its first call and kept on disk, if there is a place for it."""
    dispatcher = njit(error_model="numpy")(function)
    with suppress(RuntimeError):  # no writable place: every process compiles for itself
        dispatcher._cache = _PackageCache(function)
    return dispatcher


class _PackageCache(FunctionCache):
    def _index_key(self, sig, codegen):
        return *super()._index_key(sig, codegen), _digest()


@cache
def _digest() -> str:
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
