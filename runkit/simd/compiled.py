"""A cache of compiled functions on disk, valid for exactly the present text of what they are made of.

Numba's own `cache=True` looks at the file of a function only, and would go on using code that was inlined from another
file after that one has changed. Its index also lets two processes that compile at once write into the same file, and
then load one function for another (Numba issue 4807): here each function, variant and signature has a file of its own,
replaced as a whole. And it names symbols by counting functions, so that what two processes have compiled may share
them, and a process that loads both calls the parts of one from the other: here the numbers are drawn.
"""

import pickle
import secrets
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

from runkit.errors import UserError
from runkit.outputs import written_whole
from runkit.simd.parts import KernelCompiler

_numbers: Any = iter(lambda: secrets.randbits(60), None)
FunctionIdentity._unique_ids = _numbers

SHARED = (Path(__file__).parent, Path(__file__).parents[1] / "formula")  # what any kernel may be made of


def kernel(
    function: Callable[..., Any], variant: str = "", folders: Sequence[Path] = (), parts: Sequence[type] = ()
) -> Any:
    """A function compiled at its first call and kept on disk, if there is a place for it.

    It is made of the Python text in its own folder, in the one above, in those of SHARED and in `folders`, and of the
    packages of `parts` that come from elsewhere. Closures over different parts are distinguished by `variant`.
    """
    # While it runs, another thread may end the process (`runkit.stop`).
    dispatcher: Any = njit(error_model="numpy", nogil=True, pipeline_class=KernelCompiler)(function)
    with suppress(RuntimeError):  # no writable place: every process compiles for itself
        dispatcher._cache = _TextCache(function, variant, folders, parts)
    return dispatcher


class _TextCache(FunctionCache):
    def __init__(self, function: Any, variant: str, folders: Sequence[Path], parts: Sequence[type]) -> None:
        FunctionCache.__init__(self, function)
        own = Path(function.__code__.co_filename).parent
        foreign = [part for part in parts if _root(part.__module__) != _root(function.__module__)]
        self._variant = variant
        self._text = (
            *(_digest(folder) for folder in (own, own.parent, *SHARED, *folders)),
            *(f"{part.__module__}.{part.__qualname__} {_package_digest(part)}" for part in foreign),
        )
        self._cache_file: Any = _Files(Path(self.cache_path), self._impl.filename_base)

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # Not Numba's own key, which pickles what a closure holds, and types that may have gone since.
        return (self._variant, str(sig), codegen.magic_tuple()), self._text


class _Files:
    """The files of one function: one for each variant and signature, with the text that it is valid for."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name

    def load(self, key: Any) -> Any:
        """What was compiled for this key, or None. What belongs to another text may need modules that have gone since:
        it is not unpickled.
        """
        with suppress(OSError, EOFError, pickle.UnpicklingError):
            head, _, data = self._path(key).read_bytes().partition(b"\n")
            return pickle.loads(data) if head == _head(key) else None
        return None

    def save(self, key: Any, data: Any) -> None:
        """Keep what was compiled for this key, if there still is room for it."""
        with suppress(UserError), written_whole(self._path(key)) as beside:
            beside.write_bytes(_head(key) + b"\n" + dumps(data))

    def _path(self, key: Any) -> Path:
        return self._folder / f"{self._name}.{sha256(repr(key[0]).encode()).hexdigest()[:16]}.nbc"


def _head(key: Any) -> bytes:
    return sha256(repr(key).encode()).hexdigest().encode()


@cache
def _digest(folder: Path) -> str:
    return _digest_of(list(folder.glob("*.py")))


def _package_digest(part: type) -> str:
    """Of all text of the package that a part comes from, or of its one file."""
    folders = getattr(sys.modules[_root(part.__module__)], "__path__", None)
    files = [path for folder in folders or () for path in Path(folder).rglob("*.py")]
    return _digest_of(files or [Path(str(sys.modules[part.__module__].__file__))])


def text_digest(package: str) -> str:
    """A digest of all Python and CUDA text of a package."""
    folder = Path(str(import_module(package).__file__)).parent
    return _digest_of([path for kind in ("py", "cu") for path in folder.rglob(f"*.{kind}")])


def _root(module: str) -> str:
    return module.partition(".")[0]


def _digest_of(files: Sequence[Path]) -> str:
    return sha256(b"".join(path.read_bytes() for path in sorted(files))).hexdigest()
