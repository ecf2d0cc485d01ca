"""Compiled functions and where they are kept: on disk, valid for exactly the present text of what they are made of.

Numba's own `cache=True` looks at the file of a function only, and would go on using code that was inlined from another
file after that one has changed. Several processes must not compile at once (Numba issue 4807).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

helper = njit(error_model="numpy", forceinline=True)


def kernel(function: Callable[..., Any], variant: str = "", folders: Sequence[Path] = ()) -> Any:
    """A function compiled at its first call and kept on disk, if there is a place for it.

    It is made of the Python text in its own folder, in the one above, in that of this file and in `folders`. Closures
    over different parts tell themselves apart by `variant`.
    """
    dispatcher: Any = njit(error_model="numpy")(function)
    with suppress(RuntimeError):  # no writable place: every process compiles for itself
        dispatcher._cache = _TextCache(function, variant, folders)
    return dispatcher


class _TextCache(FunctionCache):
    def __init__(self, function: Any, variant: str, folders: Sequence[Path]) -> None:
        super().__init__(function)
        own = Path(function.__code__.co_filename).parent
        self._key = variant, *(_digest(folder) for folder in (own, own.parent, Path(__file__).parent, *folders))

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # Not Numba's own key, which pickles what a closure holds, and types that may have gone since.
        return str(sig), codegen.magic_tuple(), self._key


@cache
def _digest(folder: Path) -> str:
    return sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()
