"""CUDA C compiled to what a GPU runs, and kept on disk: whole, or made anew.

Kernels are compiled without contraction (`--fmad=false`), with IEEE division and square root, and keep numbers below
the least normal one: they round where their text says so. Machine code is made for the GPU's own generation. Where the
compiler is older than the GPU it makes PTX, which the driver compiles on loading: PTX says how each operation rounds
(`mul.rn`, never joined with an addition), so results are the same.

Source: https://docs.nvidia.com/cuda/nvrtc (options); https://docs.nvidia.com/cuda/parallel-thread-execution (rounding);
System V ABI, chapters 4 and 5 (ELF).
"""

from __future__ import annotations

import importlib
import os
import struct
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runkit.errors import UserError
from runkit.outputs import written_whole

STRICT = ("--std=c++17", "--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false")
EMBEDDED = (72, 87, 88, 101, 110)  # architectures of Jetson boards, whose machine code other GPUs do not run
INSTALL = "pip install -e '.[gpu]' (CUDA 12) or '.[gpu-cuda13]' (CUDA 13)"
NO_BYTES = 8  # type of a section that takes no room in the file


class NoGpu(Exception):
    """There is no GPU to be used; the message says why."""


def cupy() -> Any:
    """CuPy; raises NoGpu if it is missing or does not work here."""
    # Kernels are loaded with their module, not at their first launch, which may be one that is recorded as a graph.
    os.environ.setdefault("CUDA_MODULE_LOADING", "EAGER")
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        missing = f"CuPy does not work here ({error}): {INSTALL}" if has_gpu() else "no GPU, and no CuPy"
        raise NoGpu(missing) from error


def has_gpu() -> bool:
    """Whether the driver shows any."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def target(own: int, known: Sequence[int], name: str) -> str:
    """The target for a GPU of architecture `own` (90) and a compiler with support for the architectures `known`.

    "sm_N" is machine code, of the newest N that the GPU runs; "compute_N" is PTX, for a GPU newer than the compiler.
    Raises NoGpu if the compiler no longer supports one as old.
    """
    older = [one for one in known if one <= own and (one == own or one not in EMBEDDED)]
    of_its_generation = [one for one in older if one // 10 == own // 10]
    if of_its_generation:
        return f"sm_{max(of_its_generation)}"
    if older:
        return f"compute_{max(older)}"
    raise NoGpu(f"CuPy's compiler makes nothing for {name} (sm_{own}): {INSTALL}")


def machine_code(source: str, architecture: str, options: Sequence[str] = ()) -> tuple[bytes, str]:
    """The kernels of `source` for `architecture` ("sm_90"; PTX for "compute_90"), and the compiler's log.

    Needs no GPU; raises RuntimeError, with the log, if the text has mistakes. CuPy cannot be used for this: it adds
    -ftz=true to all options, and the last one counts (CuPy issue 9576).
    """
    nvrtc = cupy().cuda.nvrtc
    program = nvrtc.createProgram(source, "kernels.cu", [], [])
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture={architecture}", *STRICT, *options))
        log = nvrtc.getProgramLog(program)
        return nvrtc.getPTX(program) if architecture.startswith("compute_") else whole(nvrtc.getCUBIN(program)), log
    except nvrtc.NVRTCError as error:
        raise RuntimeError(nvrtc.getProgramLog(program)) from error
    finally:
        nvrtc.destroyProgram(program)


def whole(code: bytes) -> bytes:
    """Machine code with the last byte that CuPy cuts off as if it ended a text.

    The last thing in the file is a table of headers, whose last byte is the highest one of a number: zero.
    """
    missing = max(extents(code)) - len(code)
    if missing > 0 and (missing > 1 or max(_tables(code)) != max(extents(code))):
        raise RuntimeError(f"the compiler's machine code lacks {missing} bytes")
    return code + bytes(max(0, missing))


def extents(code: bytes) -> list[int]:
    """Where each part of an ELF file (64 bits, little-endian) ends: tables of headers, sections, segments.

    Raises ValueError for what is none.
    """
    try:
        at, size, n = _table(code, 40, 58)
        sections = [struct.unpack_from("<4xI16xQQ", code, at + k * size) for k in range(n)]
        at, size, n = _table(code, 32, 54)
        segments = [struct.unpack_from("<8xQ16xQ", code, at + k * size) for k in range(n)]
    except struct.error:  # headers that the file does not reach: it is shorter than the tables' ends
        sections, segments = [], []
    parts = [first + n for kind, first, n in sections if kind != NO_BYTES] + [first + n for first, n in segments]
    return [*_tables(code), *parts]


def _tables(code: bytes) -> list[int]:
    """Where the tables of sections and of segments end."""
    if code[:6] != b"\x7fELF\x02\x01" or len(code) < 64:
        raise ValueError("not an ELF file of 64 bits")
    return [at + size * n for at, size, n in (_table(code, 40, 58), _table(code, 32, 54))]


def _table(code: bytes, place: int, shape: int) -> tuple[int, int, int]:
    """Of a table of headers: first byte, bytes of a row, rows; the header of the file has them at these places."""
    return (*struct.unpack_from("<Q", code, place), *struct.unpack_from("<HH", code, shape))


def is_whole(path: Path) -> bool:
    """Whether a kept file is all there: machine code by its own headers, PTX by its last brace."""
    try:
        code = path.read_bytes()
        if path.suffix == ".ptx":
            return code.startswith(b"//") and code.rstrip().endswith(b"}")
        return len(code) >= max(extents(code))
    except (OSError, ValueError):
        return False


def kept(source: str, architecture: str, options: tuple[str, ...], compiler: Any) -> Path:
    """The file of what `source` compiles to, beside what CuPy keeps: named by all that it is made of."""
    made_of = repr((architecture, compiler, STRICT, options, source))
    kind = "ptx" if architecture.startswith("compute_") else "cubin"
    name = f"{sha256(made_of.encode()).hexdigest()}.strict.{kind}"
    path = Path(os.path.expanduser(os.environ.get("CUPY_CACHE_DIR", "~/.cupy/kernel_cache")), name)
    if is_whole(path):
        return path
    code, _ = machine_code(source, architecture, options)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _written(path, code)
    except (OSError, UserError):  # no writable place: every process compiles for itself
        return _written(Path(_own_folder().name) / name, code)


def _written(path: Path, code: bytes) -> Path:
    with written_whole(path) as beside:
        beside.write_bytes(code)
    return path


@cache
def _own_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="kernels-")
